import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DevAuthority } from '@neural-hive/dev-authority';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { tokenAuth, VaultClient } from '../vault/index.ts';
import { kvSecret } from './kv-secret.ts';
import { type KvUserStep, type RotateKvUserOptions, rotateKvUser } from './rotate-kv-user.ts';
import { RotatingCredential } from './rotating-credential.ts';
import type { UserAdmin } from './user-admin.ts';

interface Login {
  readonly username: string;
  readonly password: string;
}

/** Users as a server keeps them. */
class Users implements UserAdmin {
  readonly passwords = new Map<string, string>();
  readonly rightsOf = new Map<string, string | undefined>();

  async createUser(
    { username, password }: Parameters<UserAdmin['createUser']>[0],
    { previous }: Parameters<UserAdmin['createUser']>[1],
  ): Promise<void> {
    this.passwords.set(username, password.reveal());
    this.rightsOf.set(username, previous);
  }

  async deleteUser(username: string): Promise<void> {
    this.passwords.delete(username);
  }

  /** What a consumer's connection would do. */
  letsIn({ username, password }: Login): boolean {
    return this.passwords.get(username) === password;
  }
}

const STEPS: readonly KvUserStep[] = ['recorded', 'created', 'written', 'moved', 'deleted'];

let stateFolder: string;
let authority: DevAuthority;
let client: VaultClient;
let users: Users;
let path: string;
let paths = 0;

beforeAll(async () => {
  stateFolder = mkdtempSync(join(tmpdir(), 'authority-'));
  authority = await DevAuthority.open({ stateFolder });
  const { address, caPem: ca, rootToken: token } = authority;
  client = await VaultClient.open({ address, ca, auth: tokenAuth({ token }) });
});
afterAll(async () => {
  await client?.destroy();
  await authority?.close();
  rmSync(stateFolder, { recursive: true, force: true });
});
beforeEach(() => {
  users = new Users();
  paths += 1;
  path = `app/login-${paths}`;
});

const rotate = (options: Partial<RotateKvUserOptions> = {}) =>
  rotateKvUser({ client, path, users, pollMs: 50, deadlineMs: 60_000, ...options });
const stored = async () => (await client.kv().read<Login & { brokers?: string }>(path)).data;
const metadata = async () => (await client.kv().metadata(path)).customMetadata;

/** A consumer that reports, and that tries its login whenever it gets one. */
const consumer = (name: string) =>
  RotatingCredential.open<Login>({
    provider: kvSecret(client, path, {
      consumer: name,
      pollMs: 50,
      parse: (data) => data as unknown as Login,
    }),
    probe: async ({ value }) => {
      if (!users.letsIn(value)) throw new Error('refused');
    },
    drainTimeoutMs: 0,
  });

test('the first run makes an entry and a user with the rights of the template', async () => {
  const { username, previous, version } = await rotate({ template: 'template' });
  expect([previous, version]).toEqual([undefined, 1]);
  expect(users.letsIn(await stored())).toBe(true);
  expect([...users.rightsOf]).toEqual([[username, 'template']]);
  expect(username).toMatch(/^app-login-\d+-[0-9a-f]{12}$/);
});

test('the old user is deleted once every consumer has moved, and not before', async () => {
  const first = await rotate();
  await client.kv().write(path, { ...(await stored()), brokers: 'b:1' });
  await using one = await consumer('one');
  await using two = await consumer('two');
  const live = [one, two];
  const oldAtDrain: boolean[] = [];
  for (const credential of live) {
    credential.attach({
      publish: () => undefined,
      async drain() {
        oldAtDrain.push(users.passwords.has(first.username));
        return { terminated: 0 };
      },
    });
  }
  const { username, previous, behind, version } = await rotate();
  expect([previous, behind]).toEqual([first.username, []]);
  expect(oldAtDrain).toEqual([true, true]);
  expect([...users.passwords.keys()]).toEqual([username]);
  expect(users.rightsOf.get(username)).toBe(first.username);
  for (const credential of live) expect(users.letsIn(credential.current().value)).toBe(true);
  expect((await stored()).brokers).toBe('b:1');
  expect(await metadata()).toEqual({
    [`login.${username}`]: 'made',
    'generation.one': String(version),
    'generation.two': String(version),
  });
});

test('a consumer that closes is waited for no more', async () => {
  await rotate();
  const one = await consumer('one');
  expect(await metadata()).toMatchObject({ 'generation.one': '1' });
  await one.close();
  expect(await metadata()).not.toHaveProperty(['generation.one']);
});

test('a consumer whose new login is refused keeps reporting the old one', async () => {
  await rotate();
  await using one = await consumer('one');
  await client.kv().write(path, { username: 'nobody', password: 'x' });
  expect(await one.rotate()).toMatchObject({ ok: false });
  expect(await metadata()).toMatchObject({ 'generation.one': '1' });
});

test('a report that somebody has removed is made again', async () => {
  await rotate();
  await using _ = await consumer('one');
  await client.kv().writeMetadata(path, { customMetadata: {} });
  while ((await metadata())['generation.one'] !== '1') await new Promise((resolve) => setImmediate(resolve));
});

test('a consumer that has died is waited for until the deadline, named, and forgotten', async () => {
  const first = await rotate();
  await client.kv().patchMetadata(path, { customMetadata: { 'generation.dead': '1' } });
  const outcome = await rotate({ deadlineMs: 100, consumers: ['never-came'] });
  expect(outcome.behind.toSorted()).toEqual(['dead', 'never-came']);
  expect(users.passwords.has(first.username)).toBe(false);
  expect(await metadata()).not.toHaveProperty(['generation.dead']);
});

test('without anybody to wait for nothing is done, unless that is wanted', async () => {
  await rotate();
  const before = [...users.passwords.keys()];
  await expect(rotate()).rejects.toMatchObject({ code: 'no-consumers' });
  expect([...users.passwords.keys()]).toEqual(before);
  expect(await rotate({ allowNoConsumers: true })).toMatchObject({ previous: before[0] });
});

describe('a run that ends after', () => {
  test.each(STEPS)('"%s" is made up for by the next, and no consumer ever holds a dead login', async (last) => {
    await rotate();
    await using one = await consumer('one');
    const dead: string[] = [];
    const watch = (step: KvUserStep): void => {
      if (!users.letsIn(one.current().value)) dead.push(step);
    };
    const onStep = (step: KvUserStep): void => {
      watch(step);
      if (step === last) throw new Error('killed');
    };
    await expect(rotate({ onStep })).rejects.toThrow('killed');
    const outcome = await rotate({ onStep: watch });
    expect(outcome.behind).toEqual([]);
    expect([...users.passwords.keys()]).toEqual([outcome.username]);
    expect(users.letsIn(await stored())).toBe(true);
    expect(one.current().value.username).toBe(outcome.username);
    expect(dead).toEqual([]);
    const logins = Object.keys(await metadata()).filter((key) => key.startsWith('login.'));
    expect(logins).toEqual([`login.${outcome.username}`]);
  });

  test('creating a user that it can still publish is shut out by the repair', async () => {
    await rotate();
    await using one = await consumer('one');
    let proceed = (): void => undefined;
    let stopped = (): void => undefined;
    const atCreated = new Promise<void>((resolve) => {
      stopped = resolve;
    });
    const slow = rotate({
      onStep: (step) => {
        if (step !== 'created') return;
        stopped();
        return new Promise<void>((resolve) => {
          proceed = resolve;
        });
      },
    });
    slow.catch(() => undefined);
    await atCreated;
    const { username, repaired } = await rotate();
    proceed();
    await expect(slow).rejects.toMatchObject({ code: 'changed-meanwhile', retryable: true });
    expect(repaired).toHaveLength(1);
    expect([...users.passwords.keys()]).toEqual([username]);
    expect(one.current().value.username).toBe(username);
  });
});

test.each([
  ['deadlineMs', { deadlineMs: -1 }],
  ['pollMs', { pollMs: 1 }],
])('names a wrong %s', async (option, wrong) => {
  await expect(rotate(wrong)).rejects.toThrow(option);
});
