import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FileSecretOptions, fileSecret } from './file-secret.ts';
import { RotatingCredential, type RotatingCredentialOptions } from './rotating-credential.ts';

interface Login {
  readonly username: string;
  readonly password: string;
}

let folder: string;
let credential: RotatingCredential<Login> | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'file-secret-'));
});
afterEach(async () => {
  await credential?.close();
  credential = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** Two files that belong together: the writer says in both which turn it is. */
function parse(texts: { login: string; turn: string }): Login {
  const login = JSON.parse(texts.login) as Login & { turn: string };
  if (login.turn !== texts.turn.trim()) throw new Error('the files are not of the same turn');
  return { username: login.username, password: login.password };
}

const login = (turn: number): string => JSON.stringify({ username: `u${turn}`, password: 'p', turn: String(turn) });

async function open(
  files: { login: string; turn: string },
  options: Partial<FileSecretOptions<'login' | 'turn', Login>> = {},
  rotating: Partial<RotatingCredentialOptions<Login>> = {},
) {
  const provider = fileSecret({ files, parse, pollMs: 50, settleMs: 10, ...options });
  credential = await RotatingCredential.open({ provider, ...rotating });
  const names: string[] = [];
  const waiting: (() => void)[] = [];
  credential.onRotation(({ ok }) => {
    if (ok) names.push(credential?.current().value.username ?? '');
    for (const resolve of waiting.splice(0)) resolve();
  });
  const reached = async (name: string): Promise<void> => {
    while (names.at(-1) !== name) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  return { credential, names, reached };
}

/** As the kubelet does it: a folder a turn, and one link that is replaced. */
function project(turn: number): void {
  const version = join(folder, `..v${turn}`);
  mkdirSync(version);
  writeFileSync(join(version, 'login'), login(turn));
  writeFileSync(join(version, 'turn'), String(turn));
  symlinkSync(version, join(folder, '..next'));
  renameSync(join(folder, '..next'), join(folder, '..data'));
}

const plain = () => ({ login: join(folder, 'login'), turn: join(folder, 'turn') });

describe('a secret in files', () => {
  test('follows the link of a projected volume, all files together', async () => {
    project(1);
    for (const name of ['login', 'turn']) symlinkSync(join('..data', name), join(folder, name));
    const { credential, names, reached } = await open(plain());
    expect(credential.current().value.username).toBe('u1');
    for (let turn = 2; turn <= 5; turn += 1) {
      project(turn);
      await reached(`u${turn}`);
    }
    expect(names).toEqual(['u2', 'u3', 'u4', 'u5']);
  });

  test('takes a file that is written in place once it is whole', async () => {
    writeFileSync(plain().turn, '1');
    writeFileSync(plain().login, login(1));
    const warned: string[] = [];
    const nothing = () => undefined;
    let heard: () => void = () => undefined;
    const refused = new Promise<void>((resolve) => {
      heard = resolve;
    });
    const warn = (_fields: object, message: string): void => {
      warned.push(message);
      heard();
    };
    const logger = { debug: nothing, info: nothing, error: nothing, warn };
    const { credential, names, reached } = await open(plain(), { logger });
    truncateSync(plain().login);
    writeFileSync(plain().login, login(2).slice(0, 20));
    // Long after it has settled it is still half a file.
    await refused;
    expect(credential.current().value.username).toBe('u1');
    writeFileSync(plain().login, login(2));
    writeFileSync(plain().turn, '2');
    await reached('u2');
    expect(names).toEqual(['u2']);
    expect(warned[0]).toContain('cannot be taken');
  });

  test('that is gone for a while leaves the old value', async () => {
    writeFileSync(plain().turn, '1');
    writeFileSync(plain().login, login(1));
    const { credential, reached } = await open(plain());
    rmSync(plain().login);
    writeFileSync(plain().turn, '3');
    expect(credential.current().value.username).toBe('u1');
    writeFileSync(plain().login, login(3));
    await reached('u3');
  });

  test('ends when its value says so', async () => {
    writeFileSync(plain().turn, '1');
    writeFileSync(plain().login, login(1));
    const { credential } = await open(plain(), { expiresAtMs: () => 9e15 });
    expect(credential.current().expiresAtMs).toBe(9e15);
  });

  test('that is missing or wrong at the start is an error', async () => {
    await expect(open(plain())).rejects.toThrow('ENOENT');
    writeFileSync(plain().turn, '2');
    writeFileSync(plain().login, login(1));
    await expect(open(plain())).rejects.toThrow('same turn');
  });
});

test.each([
  ['pollMs', { pollMs: 1 }],
  ['settleMs', { settleMs: -1 }],
  ['files', { files: {} }],
])('a wrong %s is named', (option, wrong) => {
  const files: Readonly<Record<string, string>> = { a: 'a' };
  expect(() => fileSecret({ files, parse: () => 1, ...wrong })).toThrow(option);
});
