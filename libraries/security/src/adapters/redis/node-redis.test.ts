import { tracingChannel } from 'node:diagnostics_channel';
import { expect, test } from 'vitest';
import { Secret } from '../../common/index.ts';
import { RotatingCredential } from '../../credentials/index.ts';
import { type NodeRedisLogin, nodeRedisCredentials, type RedisLogin } from './index.ts';

const commands = tracingChannel('node-redis:command');

function open(drainTimeoutMs: number): Promise<RotatingCredential<RedisLogin>> {
  let made = 0;
  return RotatingCredential.open<RedisLogin>({
    drainTimeoutMs,
    provider: {
      name: 'login',
      async obtain() {
        made += 1;
        return {
          value: { username: `u${made}`, password: new Secret('p') },
          issuedAtMs: Date.now(),
          expiresAtMs: Date.now() + 600_000,
          revoke: async () => undefined,
        };
      },
    },
  });
}

/** A listener that sends AUTH as node-redis does, traced, on a connection that answers as told. */
function connection(answer: (login: NodeRedisLogin, attempt: number) => Promise<unknown>) {
  const users: (string | undefined)[] = [];
  const onNext = (login: NodeRedisLogin): void => {
    const { username } = login;
    users.push(username);
    const send = (): Promise<unknown> => answer(login, users.length);
    commands.tracePromise(send, { command: 'AUTH', clientId: 'c1' }).catch(() => undefined);
  };
  return { users, onNext, onError: () => undefined };
}

test('a connection is told the new login, and the drain waits for the answer', async () => {
  await using credential = await open(60_000);
  const follower = nodeRedisCredentials(credential);
  let reply: (value: unknown) => void = () => undefined;
  const replied = new Promise((resolve) => {
    reply = resolve;
  });
  const listener = connection(() => replied);
  const [first, subscription] = await follower.subscribe(listener);
  expect(first).toEqual({ username: 'u1', password: 'p' });
  const rotation = credential.rotate();
  while (listener.users.length === 0) await new Promise(setImmediate);
  expect(listener.users).toEqual(['u2']);
  expect([...follower.sessions()]).toEqual([[1, 1]]);
  reply('OK');
  expect(await rotation).toMatchObject({ ok: true, terminated: 0 });
  expect([...follower.sessions()]).toEqual([[2, 1]]);
  subscription.dispose();
});

test('an AUTH that the driver kept back is sent again, one that the server refuses is not', async () => {
  await using credential = await open(60_000);
  const follower = nodeRedisCredentials(credential);
  const offline = connection(async (_login, attempt) => {
    if (attempt < 3) throw new Error('The queue is full');
    return 'OK';
  });
  const [, first] = await follower.subscribe(offline);
  expect(await credential.rotate()).toMatchObject({ ok: true, terminated: 0 });
  expect(offline.users).toEqual(['u2', 'u2', 'u2']);
  first.dispose();

  class SimpleError extends Error {}
  const refused = connection(() => Promise.reject(new SimpleError('NOPERM')));
  const [, second] = await follower.subscribe(refused);
  expect(await credential.rotate()).toMatchObject({ ok: true, terminated: 1 });
  expect(refused.users).toEqual(['u3']);
  second.dispose();
});

test('a connection that is lost, or that its client replaces, is followed no longer', async () => {
  await using credential = await open(60_000);
  const follower = nodeRedisCredentials(credential);
  class SocketClosedUnexpectedlyError extends Error {}
  await follower.subscribe(connection(() => Promise.reject(new SocketClosedUnexpectedlyError())));
  expect(await credential.rotate()).toMatchObject({ ok: true, terminated: 0 });
  expect(follower.sessions().size).toBe(0);

  const client = connection(async () => 'OK');
  await follower.subscribe(client);
  await credential.rotate();
  const [, again] = await follower.subscribe(client);
  await credential.rotate();
  expect([...follower.sessions()]).toEqual([[4, 1]]);
  again.dispose();
});

test('a connection that cannot take AUTH is counted at once, one of a driver that does not trace after the drain time', async () => {
  await using credential = await open(60_000);
  const follower = nodeRedisCredentials(credential);
  const [, subscriber] = await follower.subscribe({ onNext: () => undefined, onError: () => undefined });
  expect(await credential.rotate()).toMatchObject({ ok: true, terminated: 1 });
  subscriber.dispose();

  await using hurried = await open(20);
  const older = nodeRedisCredentials(hurried);
  const users: (string | undefined)[] = [];
  const onNext = ({ username }: NodeRedisLogin): void => void users.push(username);
  const [, subscription] = await older.subscribe({ onNext, onError: () => undefined });
  const { startedAtMs, drainedAtMs, terminated } = await hurried.rotate();
  expect(users).toEqual(['u2']);
  expect(terminated).toBe(1);
  expect(drainedAtMs - startedAtMs).toBeGreaterThanOrEqual(19);
  subscription.dispose();
});
