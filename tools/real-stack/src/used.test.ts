import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { noteUse, readUses } from './used.ts';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync('/tmp/used-');
  file = join(folder, 'used');
  writeFileSync(file, '');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

test('each program of each version is listed with the tests that had it run, once', () => {
  vi.stubEnv('REAL_STACK_USED', file);
  vi.stubEnv('REAL_STACK_TEST', '/root/b.real.test.ts');
  noteUse('openbao', '2.7.2');
  noteUse('openbao', '2.6.2');
  vi.stubEnv('REAL_STACK_TEST', '/root/below/a.real.test.ts');
  noteUse('openbao', '2.7.2');
  noteUse('openbao', '2.7.2');
  expect(readUses(file, '/root')).toEqual([
    { name: 'openbao', version: '2.6.2', tests: ['b.real.test.ts'] },
    { name: 'openbao', version: '2.7.2', tests: ['b.real.test.ts', 'below/a.real.test.ts'] },
  ]);
});

test('outside of a test nothing is noted', () => {
  vi.stubEnv('REAL_STACK_TEST', undefined);
  vi.stubEnv('REAL_STACK_USED', file);
  noteUse('openbao', '2.7.2');
  expect(readFileSync(file, 'utf8')).toBe('');
});
