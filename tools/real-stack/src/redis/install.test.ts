import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { installRedis, REDIS_VERSION, redisEnvironment } from './install.ts';

let folder: string;
let cache: string;

const APT = '/nonexistent/apt-get';

function program(path: string, version: string): string {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, `#!/bin/sh\necho "Redis server v=${version} sha=0"\n`, { mode: 0o755 });
  return path;
}

beforeEach(() => {
  folder = mkdtempSync('/tmp/real-');
  cache = join(folder, 'cache');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

test('a program on PATH is taken when its major version is right, else one that was unpacked before', async () => {
  const found = program(join(folder, 'bin', 'redis-server'), `${REDIS_VERSION}.2.1`);
  expect(await installRedis({ cache, path: join(folder, 'bin'), apt: APT })).toBe(found);
  program(found, '6.0.16');
  const unpacked = program(join(cache, `redis-${REDIS_VERSION}`, 'usr', 'bin', 'redis-server'), `${REDIS_VERSION}.0.1`);
  expect(await installRedis({ cache, path: join(folder, 'bin'), apt: APT })).toBe(unpacked);
});

test('without apt one line says what to install, and nothing is left behind', async () => {
  const lines: string[] = [];
  const failing = installRedis({ cache, path: '', apt: APT, log: (line) => lines.push(line) });
  await expect(failing).rejects.toMatchObject({ code: 'install_failed' });
  await expect(failing).rejects.toThrow(new RegExp(`^[^\\n]*put a redis-server ${REDIS_VERSION} on PATH$`));
  expect(lines).toHaveLength(1);
  expect(existsSync(join(cache, `redis-${REDIS_VERSION}.unfinished`))).toBe(false);
});

test('packages of another major version are refused with the version that they have', async () => {
  const apt = join(folder, 'apt-get');
  writeFileSync(apt, `#!/bin/sh\necho "E: Unable to locate package redis-server" >&2; exit 100\n`, { mode: 0o755 });
  const failing = installRedis({ cache, path: '', apt, log: () => {} });
  await expect(failing).rejects.toThrow('Unable to locate package redis-server');
  const unpacks = `#!/bin/sh\nmkdir -p ../usr/bin && cp ${program(join(folder, 'old'), '8.0.2')} ../usr/bin/redis-server\n`;
  writeFileSync(apt, unpacks, { mode: 0o755 });
  await expect(installRedis({ cache, path: '', apt, log: () => {} })).rejects.toThrow('have version 8.0.2');
});

test('an unpacked program finds its libraries beside it, an installed one needs none', () => {
  const unpacked = join(cache, 'usr', 'bin', 'redis-server');
  mkdirSync(join(cache, 'usr', 'lib', 'x86_64-linux-gnu'), { recursive: true });
  expect(redisEnvironment(unpacked).LD_LIBRARY_PATH).toBe(join(cache, 'usr', 'lib', 'x86_64-linux-gnu'));
  expect(redisEnvironment('/usr/bin/redis-server').LD_LIBRARY_PATH).toBeUndefined();
});
