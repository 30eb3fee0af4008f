import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { findPrograms } from './programs.ts';

const VARIABLES = ['BAO_BINARY', 'SPIRE_BINARIES', 'REDIS_BINARY', 'KUBERNETES_BINARIES', 'ETCD_BINARY'] as const;

let folder: string;
let cache: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'programs-'));
  cache = join(folder, 'cache');
  mkdirSync(cache);
  vi.stubEnv('XDG_CACHE_HOME', cache);
  vi.stubEnv('PATH', join(folder, 'bin'));
  for (const name of VARIABLES) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function program(...path: string[]): string {
  const file = join(folder, ...path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, '#!/bin/sh\nexit 1\n');
  chmodSync(file, 0o755);
  return file;
}

test('all that is missing is one list, with the command that installs it, and nothing is installed', async () => {
  const failure = await findPrograms().catch((error: unknown) => error);
  expect(failure).toMatchObject({
    exitCode: 3,
    message: expect.stringContaining('npm run real -- install openbao spire redis kubernetes etcd'),
    details: [
      expect.stringMatching(/^openbao \(secrets and leases\): .*not installed/),
      expect.stringMatching(/^spire \(workload identity\): .*not installed/),
      expect.stringMatching(/^redis \(the store of the registry\): .*not installed/),
      expect.stringMatching(/^kubernetes \(the login to OpenBao\): .*not installed/),
      expect.stringMatching(/^etcd \(.*\): .*not installed/),
    ],
  });
  expect(readdirSync(cache)).toEqual([]);
});

test('what the environment names is used before what is on PATH', async () => {
  const named = Object.fromEntries(VARIABLES.map((name) => [name, program('named', name)]));
  program('bin', 'bao');
  expect(await findPrograms({ ...process.env, ...named })).toEqual({
    openbao: named.BAO_BINARY,
    spire: named.SPIRE_BINARIES,
    redis: named.REDIS_BINARY,
    kubernetes: named.KUBERNETES_BINARIES,
    etcd: named.ETCD_BINARY,
  });
  const { BAO_BINARY: _, ...others } = named;
  expect(await findPrograms({ ...process.env, ...others })).toMatchObject({ openbao: join(folder, 'bin', 'bao') });
});

test('a program that the environment names and that is not there is not replaced by another', async () => {
  program('bin', 'bao');
  const failure = findPrograms({ ...process.env, BAO_BINARY: join(folder, 'gone') });
  await expect(failure).rejects.toMatchObject({ details: expect.arrayContaining([expect.stringContaining('gone')]) });
});
