import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type RedisServer, startRedis } from '@neural-hive/real-stack';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../common/index.ts';
import { CredentialError, RotatingCredential } from '../../credentials/index.ts';
import { nodeRedisOptions, type RedisTarget } from '../../testing/redis-drivers.ts';
import { aclUsers, RedisObserver } from '../../testing/redis-rotation-contract.ts';
import { nodeRedisCredentials, type RedisLogin, rotateIoredis } from './index.ts';

let server: RedisServer;
let target: RedisTarget;
let observer: RedisObserver;

beforeAll(async () => {
  server = await startRedis();
  const { host, port, caFile, admin } = server;
  target = { host, port, caPem: readFileSync(caFile, 'utf8'), admin };
  observer = await RedisObserver.open(target);
});

afterAll(async () => {
  await observer?.close();
  await server?.stop();
});

const open = (drainTimeoutMs = 20_000): Promise<RotatingCredential<RedisLogin>> =>
  RotatingCredential.open({ provider: aclUsers(observer), drainTimeoutMs });

/** Resolves when Redis has a client that waits in a blocking command. */
async function untilBlocked(): Promise<void> {
  while (!String(await observer.send('INFO', 'clients')).includes('blocked_clients:1')) await delay(5);
}

describe('node-redis', () => {
  const connected = async (credential: RotatingCredential<RedisLogin>, more: { RESP?: 2 | 3 } = {}) => {
    const follower = nodeRedisCredentials(credential);
    const client = createClient({ ...nodeRedisOptions(target), ...more, credentialsProvider: follower });
    client.on('error', () => undefined);
    await client.connect();
    return { client, follower };
  };

  test('a connection and its duplicates are logged in again as they are, and WATCH outlives it', async () => {
    await using credential = await open();
    const { client, follower } = await connected(credential);
    const copy = client.duplicate();
    await copy.connect();
    const id = await client.sendCommand(['CLIENT', 'ID']);
    await client.watch('watched');
    expect(await credential.rotate()).toMatchObject({ ok: true, terminated: 0 });
    expect(await client.multi().set('watched', '1').exec()).toEqual(['OK']);
    const { username } = credential.current().value;
    expect([await client.aclWhoAmI(), await copy.aclWhoAmI()]).toEqual([username, username]);
    expect(await client.sendCommand(['CLIENT', 'ID'])).toBe(id);
    expect([...follower.sessions()]).toEqual([[2, 2]]);
    await Promise.all([client.close(), copy.close()]);
    expect(follower.sessions().size).toBe(0);
  });

  test('a blocking command that outlasts the drain ends with the user, and the client comes back with the new one', async () => {
    await using credential = await open(100);
    const { client, follower } = await connected(credential);
    const popped = client.blPop('nothing', 0).then(
      () => 'popped',
      () => 'failed',
    );
    await untilBlocked();
    expect(await credential.rotate()).toMatchObject({ ok: true, terminated: 1 });
    expect(await popped).toBe('failed');
    expect(await client.aclWhoAmI()).toBe(credential.current().value.username);
    // The subscription of the connection that was lost does not stay behind.
    expect(await credential.rotate()).toMatchObject({ ok: true, terminated: 0 });
    expect([...follower.sessions()]).toEqual([[3, 1]]);
    await client.close();
  });

  test('a RESP2 connection takes AUTH, but with subscriptions it ends with the user and subscribes again', async () => {
    await using credential = await open();
    const { client } = await connected(credential, { RESP: 2 });
    const subscriber = client.duplicate();
    subscriber.on('error', () => undefined);
    await subscriber.connect();
    const heard: string[] = [];
    await subscriber.subscribe('news', (message) => heard.push(message));
    expect(await credential.rotate()).toMatchObject({ ok: true, terminated: 1 });
    expect(await client.aclWhoAmI()).toBe(credential.current().value.username);
    while ((await client.publish('news', 'again')) === 0) await delay(5);
    while (heard.length === 0) await delay(5);
    await subscriber.unsubscribe('news');
    expect(String(await subscriber.aclWhoAmI())).toBe(credential.current().value.username);
    await Promise.all([client.close(), subscriber.close()]);
  });

  test('a transaction that is sent command by command ends with the user', async () => {
    await using credential = await open();
    const { client } = await connected(credential);
    await client.sendCommand(['MULTI']);
    expect(await credential.rotate()).toMatchObject({ ok: true, terminated: 1 });
    while ((await client.aclWhoAmI().catch(() => '')) !== credential.current().value.username) await delay(5);
    await client.close();
  });

  test('closing the credential waits for clients that are being closed', async () => {
    const credential = await open();
    const { client, follower } = await connected(credential);
    const { username } = credential.current().value;
    const closed = credential.close();
    expect(await client.aclWhoAmI()).toBe(username);
    await client.close();
    await closed;
    expect(follower.sessions().size).toBe(0);
    expect(await observer.users()).not.toContain(username);
  });
});

describe('ioredis', () => {
  const client = (more: { protocol?: 2 | 3 } = {}): Redis => {
    const { host, port, caPem } = target;
    return new Redis({ host, port, tls: { ca: caPem }, lazyConnect: true, ...more }).on('error', () => undefined);
  };

  test('a connection and its duplicates are logged in again as they are, and later ones start with the new login', async () => {
    await using credential = await open();
    const redis = client();
    const rotation = rotateIoredis(redis, credential);
    const id = await redis.client('ID');
    const copy = redis.duplicate();
    await copy.connect();
    expect(await credential.rotate()).toMatchObject({ ok: true, terminated: 0 });
    const { username } = credential.current().value;
    const late = copy.duplicate();
    expect(await Promise.all([redis, copy, late].map((each) => each.acl('WHOAMI')))).toEqual(Array(3).fill(username));
    expect(await redis.client('ID')).toBe(id);
    expect([...rotation.sessions()]).toEqual([[2, 3]]);
    await Promise.all([redis, copy, late].map((each) => each.quit()));
    while (rotation.sessions().size > 0) await delay(5);
  });

  test('a blocking command that outlasts the drain is moved to a new connection and goes on there', async () => {
    await using credential = await open(100);
    const redis = client();
    rotateIoredis(redis, credential);
    const popped = redis.blpop('later', 0);
    await untilBlocked();
    expect(await credential.rotate()).toMatchObject({ ok: true, terminated: 1 });
    await observer.send('RPUSH', 'later', 'element');
    expect(await popped).toEqual(['later', 'element']);
    expect(await redis.acl('WHOAMI')).toBe(credential.current().value.username);
    await redis.quit();
  });

  test('a RESP2 connection takes AUTH, but with subscriptions it connects and subscribes again', async () => {
    await using credential = await open();
    const redis = client({ protocol: 2 });
    rotateIoredis(redis, credential);
    const subscriber = redis.duplicate();
    const heard: string[] = [];
    subscriber.on('message', (_channel: string, message: string) => heard.push(message));
    await Promise.all([redis.connect(), subscriber.subscribe('news')]);
    expect(await credential.rotate()).toMatchObject({ ok: true, terminated: 1 });
    expect(await redis.acl('WHOAMI')).toBe(credential.current().value.username);
    while ((await redis.publish('news', 'again')) === 0) await delay(5);
    while (heard.length === 0) await delay(5);
    await Promise.all([redis.quit(), subscriber.quit()]);
  });

  test('a transaction that is sent command by command is ended rather than carried out with an AUTH inside', async () => {
    await using credential = await open();
    const redis = client();
    rotateIoredis(redis, credential);
    await redis.multi({ pipeline: false });
    expect(await credential.rotate()).toMatchObject({ ok: true, terminated: 1 });
    await expect(redis.exec()).rejects.toThrow(/EXEC without MULTI|aborted due to connection close/);
    expect(await redis.acl('WHOAMI')).toBe(credential.current().value.username);
    await redis.quit();
  });

  test('a login that Redis refuses is found by the probe and the old one stays', async () => {
    const provider = aclUsers(observer);
    let broken = false;
    await using credential = await RotatingCredential.open<RedisLogin>({
      provider: {
        ...provider,
        async obtain(options) {
          const issued = await provider.obtain(options);
          const value = { ...issued.value, password: new Secret('another') };
          return broken ? { ...issued, value } : issued;
        },
      },
    });
    const redis = client();
    rotateIoredis(redis, credential);
    const username = await redis.acl('WHOAMI');
    broken = true;
    const refused = await credential.rotate();
    expect(refused.error).toBeInstanceOf(CredentialError);
    expect(refused).toMatchObject({ ok: false, generation: 1, error: { code: 'probe-failed' } });
    expect(String(refused.error)).toMatch(/WRONGPASS/);
    broken = false;
    expect(await credential.rotate()).toMatchObject({ ok: true, terminated: 0 });
    expect(await redis.acl('WHOAMI')).not.toBe(username);
    await redis.quit();
  });

  test('a client that connects without a login is refused', async () => {
    await using credential = await open();
    const eager = new Redis({ host: target.host, port: target.port, tls: { ca: target.caPem } });
    eager.on('error', () => undefined);
    expect(() => rotateIoredis(eager, credential)).toThrow(TypeError);
    eager.disconnect();
  });
});
