import { chownSync, mkdirSync, mkdtempSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MAX_SOCKET_PATH_BYTES } from '@neural-hive/security/common';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { workloadSocket } from './authority.ts';
import { locateHome, makeFolder } from './home.ts';

afterEach(() => vi.unstubAllEnvs());

const fresh = (): string => mkdtempSync(join(tmpdir(), 'nh-home-'));

test('a long folder for temporary files makes no socket path longer than a socket may have', () => {
  vi.stubEnv('XDG_RUNTIME_DIR', '/run/user/1000');
  expect(locateHome({ root: false, data: '/d' }).run).toMatch(/^\/run\/user\/1000\/nh-/);
  vi.stubEnv('XDG_RUNTIME_DIR', `/${'a'.repeat(60)}`);
  const home = locateHome({ root: false, data: '/d' });
  for (const path of [workloadSocket(home, 'orchestrator-dynamic'), join(home.postgresSockets, '.s.PGSQL.65535')]) {
    expect(Buffer.byteLength(path)).toBeLessThanOrEqual(MAX_SOCKET_PATH_BYTES);
  }
});

test('a folder gets exactly its mode, and a link in its place is refused', () => {
  const folder = fresh();
  makeFolder(join(folder, 'a'), { mode: 0o711 });
  expect(statSync(join(folder, 'a')).mode & 0o777).toBe(0o711);
  mkdirSync(join(folder, 'elsewhere'));
  symlinkSync(join(folder, 'elsewhere'), join(folder, 'link'));
  expect(() => makeFolder(join(folder, 'link'), { mode: 0o700 })).toThrow('is not a folder');
});

const asRoot = process.getuid?.() === 0;
describe.runIf(asRoot)('as root', () => {
  test('a folder that is to be of root and belongs to somebody else is refused', () => {
    const folder = join(fresh(), 'data');
    makeFolder(folder, { mode: 0o711 });
    makeFolder(folder, { mode: 0o711 });
    chownSync(folder, 65_534, 65_534);
    expect(() => makeFolder(folder, { mode: 0o711 })).toThrow('belongs to another user');
  });

  test('a folder is handed to the uid that it is for', () => {
    const folder = join(fresh(), 'worker');
    makeFolder(folder, { mode: 0o700, uid: 65_534 });
    expect(statSync(folder).uid).toBe(65_534);
  });
});
