import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { hangUp, processesNamed } from './signal.ts';

let proc: string;

beforeEach(() => {
  proc = mkdtempSync('/tmp/proc-');
  for (const [pid, name] of [
    ['7', 'vault'],
    ['8', 'node'],
    ['self', 'vault'],
  ]) {
    mkdirSync(join(proc, pid ?? ''));
    writeFileSync(join(proc, pid ?? '', 'comm'), `${name}\n`);
  }
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(proc, { recursive: true });
});

test('the one process of the name gets SIGHUP', () => {
  const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
  expect(processesNamed('vault', proc)).toEqual([7]);
  hangUp('vault', proc);
  expect(kill).toHaveBeenCalledExactlyOnceWith(7, 'SIGHUP');
});

test('none and several are errors that say what the pod needs', () => {
  const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
  expect(() => hangUp('bao', proc)).toThrow(/no process is called bao; the pod needs shareProcessNamespace/);
  mkdirSync(join(proc, '9'));
  writeFileSync(join(proc, '9', 'comm'), 'vault\n');
  expect(() => hangUp('vault', proc)).toThrow(/2 processes are called vault/);
  expect(kill).not.toHaveBeenCalled();
});
