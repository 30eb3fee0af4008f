import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { DevAuthority } from '@neural-hive/dev-authority';
import { type FerretDbServer, startFerretDb } from '@neural-hive/real-stack';
import { kvSecret, RotatingCredential } from '@neural-hive/security/credentials';
import { parseMongoLogin, rotatingMongoClient } from '@neural-hive/security/mongodb';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { EXIT, Failure } from '../failure.ts';
import type { Output } from '../output.ts';
import { type RotateMongodbOptions, rotateMongodb } from './rotate-mongodb.ts';

const HIVE = resolve(import.meta.dirname, '..', '..', 'bin', 'hive.mjs');

let folder: string;
let ferretDb: FerretDbServer;
let authority: DevAuthority;
let vault: VaultClient;

vi.setConfig({ testTimeout: 180_000 });
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rotate-'));
  [ferretDb, authority] = await Promise.all([
    startFerretDb(),
    DevAuthority.open({ stateFolder: join(folder, 'state') }),
  ]);
  const { address, caPem: ca, rootToken: token } = authority;
  vault = await VaultClient.open({ address, ca, auth: tokenAuth({ token }) });
  const { username, password } = ferretDb;
  await vault.kv().write('admin/mongodb', { username, password: password.reveal() });
  writeFileSync(join(folder, 'vault.pem'), ca);
  writeFileSync(join(folder, 'token'), `${token}\n`, { mode: 0o600 });
}, 180_000);
afterAll(async () => {
  await vault?.destroy();
  await authority?.close();
  await ferretDb?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The server without its options: those are the command's. */
const uri = (): string => ferretDb.uri.replace(/\?.*$/, '');

async function rotate(overrides: Partial<RotateMongodbOptions> = {}) {
  const lines: string[] = [];
  let result: unknown;
  const output: Output = {
    json: true,
    line: (text) => void lines.push(text),
    heading: () => undefined,
    step: (_, work) => work(),
    result: (value) => {
      result = value;
    },
  };
  const options: RotateMongodbOptions = {
    path: 'orders/mongodb',
    mount: 'secret',
    adminPath: 'admin/mongodb',
    uri: uri(),
    ca: ferretDb.caFile,
    database: 'admin',
    role: [],
    consumer: [],
    allowNoConsumers: false,
    deadline: '1',
    vaultAddress: authority.address,
    vaultCa: join(folder, 'vault.pem'),
    vaultTokenFile: join(folder, 'token'),
    vaultAuthMount: 'jwt',
    ...overrides,
  };
  const exitCode = await rotateMongodb(options, output).catch((error: unknown) => {
    if (error instanceof Failure) return error;
    throw error;
  });
  return { exitCode, lines, result: result as { username: string; previous?: string; behind: string[] } };
}

async function userNames(): Promise<string[]> {
  const { username, password } = ferretDb;
  await using client = new MongoClient(ferretDb.uri, { auth: { username, password: password.reveal() } });
  const { users } = await client.db('admin').command({ usersInfo: 1 });
  return (users as { user: string }[]).map(({ user }) => user).toSorted();
}

test('makes the first user, replaces it, and exits 1 for a consumer that has not moved', async () => {
  const first = await rotate();
  expect(first.exitCode).toBe(EXIT.ok);
  expect((await vault.kv().read('orders/mongodb')).data).toMatchObject({ username: first.result.username });
  expect(await userNames()).toEqual([first.result.username, ferretDb.username].toSorted());
  expect((await rotate()).exitCode).toMatchObject({ exitCode: EXIT.badInput, message: /no consumer/ });
  const second = await rotate({ allowNoConsumers: true });
  expect([second.exitCode, second.result.previous]).toEqual([EXIT.ok, first.result.username]);
  const late = await rotate({ consumer: ['gone'] });
  expect([late.exitCode, late.result.behind]).toEqual([EXIT.fellShort, ['gone']]);
  expect(await userNames()).toEqual([late.result.username, ferretDb.username].toSorted());
  const { password } = (await vault.kv().read<{ password: string }>('orders/mongodb')).data;
  expect(JSON.stringify([first, second, late])).not.toContain(password);
});

test('a client that follows the entry works on through rotations, and each old user is gone', async () => {
  const path = 'stock/mongodb';
  expect((await rotate({ path })).exitCode).toBe(EXIT.ok);
  const login = kvSecret(vault, path, { parse: parseMongoLogin, consumer: 'stock-1', pollMs: 50 });
  await using credential = await RotatingCredential.open({ provider: login, drainTimeoutMs: 2_000 });
  await using client = await rotatingMongoClient(credential, ferretDb.uri);
  const items = client.db('shop').collection<{ _id: number }>('items');
  let writing = true;
  let written = 0;
  const failures: unknown[] = [];
  const writer = (async () => {
    for (; writing; written += 1) {
      await items.insertOne({ _id: written }).catch((error: unknown) => failures.push(error));
    }
  })();
  const names = new Set<string>();
  for (let round = 0; round < 3; round += 1) {
    const { exitCode, result } = await rotate({ path, deadline: '120' });
    expect([exitCode, result.behind]).toEqual([EXIT.ok, []]);
    names.add(result.username);
  }
  writing = false;
  await writer;
  expect([failures, names.size, await items.countDocuments()]).toEqual([[], 3, written]);
  const left = (await userNames()).filter((name) => name.startsWith('stock-'));
  expect(left).toEqual([credential.current().value.username]);
});

test('lists every problem of the input at once, and shows no login that was in the URI', async () => {
  const role = ['readWrite', 'read@shop'];
  const wrong = await rotate({ path: '', uri: 'mongodb://root:hunter2@db/?tls=false', role, deadline: 'soon' });
  expect(wrong.exitCode).toMatchObject({ exitCode: EXIT.badInput });
  const { message, details } = wrong.exitCode as Failure;
  expect(details.map((detail) => detail.split(/[: ]/, 1)[0])).toEqual([
    '--path',
    '--deadline',
    '--uri',
    '--uri',
    '--role',
  ]);
  expect(message + details.join()).not.toContain('hunter2');
  expect(((await rotate({ uri: 'db:27017' })).exitCode as Failure).details).toHaveLength(1);
  expect((await rotate({ ca: join(folder, 'none.pem') })).exitCode).toMatchObject({ exitCode: EXIT.badInput });
});

test('tells a server that is away from a refused login, a user that is gone and a Vault that refuses', async () => {
  const once = { path: 'late/mongodb' };
  const away = await rotate({ ...once, uri: 'mongodb://127.0.0.1:1/' });
  expect(away.exitCode).toMatchObject({ exitCode: EXIT.environment });
  const { username } = ferretDb;
  await vault.kv().write('admin/wrong', { username, password: 'wrong' });
  const refused = await rotate({ ...once, adminPath: 'admin/wrong' });
  expect(refused.exitCode).toMatchObject({ exitCode: EXIT.refused });
  const noTemplate = await rotate({ ...once, template: 'nobody' });
  expect(noTemplate.exitCode).toMatchObject({ exitCode: EXIT.badInput, message: expect.stringContaining('nobody') });
  writeFileSync(join(folder, 'wrong-token'), 'hvs.wrong', { mode: 0o600 });
  const denied = await rotate({ ...once, vaultTokenFile: join(folder, 'wrong-token') });
  expect(denied.exitCode).toMatchObject({ exitCode: EXIT.refused });
  expect((await rotate(once)).exitCode).toBe(EXIT.ok);
});

test('the command itself has help, and answers with one line of JSON', async () => {
  const hive = promisify(execFile);
  const help = await hive(process.execPath, [HIVE, 'rotate', 'mongodb', '--help']);
  for (const flag of ['--uri', '--role', '--admin-path', '--json']) expect(help.stdout).toContain(flag);
  const files = ['--vault-ca', join(folder, 'vault.pem'), '--vault-token-file', join(folder, 'token')];
  const paths = ['--path', 'orders/mongodb', '--admin-path', 'admin/mongodb', '--allow-no-consumers'];
  const server = ['--uri', uri(), '--ca', ferretDb.caFile, '--vault-address', authority.address];
  const args = [HIVE, 'rotate', 'mongodb', '--json', '--deadline', '0', ...files, ...paths, ...server];
  const { stdout } = await hive(process.execPath, args);
  const last = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  const { username, password } = (await vault.kv().read<{ username: string; password: string }>('orders/mongodb')).data;
  expect(last).toMatchObject({ username });
  expect(stdout).not.toContain(password);
});
