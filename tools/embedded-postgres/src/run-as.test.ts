import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { barrierTo, canUseFolder, chooseRunAs } from './run-as.ts';

const account = (name: string, uid: number): string => `${name}:x:${uid}:${uid}::/nonexistent:/bin/false`;
const passwd = (...accounts: string[]): string => `${[account('root', 0), ...accounts].join('\n')}\n`;
const asRoot = (file: string): string => chooseRunAs({ uid: 0, gid: 0, passwd: file }).name;

test('an ordinary user runs the server as itself', () => {
  expect(chooseRunAs({ uid: 1000, gid: 100 })).toMatchObject({ uid: 1000, gid: 100, switches: false });
});

test('root prefers postgres, then nobody, then any other unprivileged account', () => {
  expect(asRoot(passwd(account('nobody', 65_534), account('postgres', 101)))).toBe('postgres');
  expect(asRoot(passwd(account('daemon', 1), account('nobody', 65_534)))).toBe('nobody');
  expect(asRoot(passwd(account('alice', 1000)))).toBe('alice');
});

test('an account with root’s uid, a negative one or a broken line is never chosen', () => {
  expect(asRoot(passwd('postgres:x:0:0::/:/bin/sh', 'nobody:*:-2:-2::/:/bin/false', 'x', account('web', 33)))).toBe(
    'web',
  );
  expect(() => asRoot(passwd())).toThrow('start as an ordinary user');
});

test('a folder that others cannot cross is named as the barrier', () => {
  const folder = mkdtempSync('/tmp/pgt-');
  const stranger = { name: 'stranger', uid: 4_000_000, gid: 4_000_000, switches: true };
  try {
    chmodSync(folder, 0o755);
    expect(barrierTo(join(folder, 'data'), stranger)).toBeUndefined();
    expect(canUseFolder(folder, stranger)).toBe(true);
    chmodSync(folder, 0o700);
    expect(barrierTo(join(folder, 'data', 'deeper'), stranger)).toBe(folder);
    expect(canUseFolder(folder, stranger)).toBe(false);
    expect(barrierTo(join(folder, 'data'), { ...stranger, switches: false })).toBeUndefined();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
