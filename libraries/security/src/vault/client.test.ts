import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../common/index.ts';
import { CertificateAuthority } from '../testing/certificate-authority.ts';
import { answerLookup, FaultVault, reply } from '../testing/fault-vault.ts';
import { tokenAuth } from './auth/token.ts';
import { VaultClient } from './client.ts';
import type { VaultClientOptions } from './options.ts';

const TOKEN = 'hvs.handed-in';
let server: FaultVault;
let clients: VaultClient[];

beforeEach(async () => {
  server = await FaultVault.listen();
  clients = [];
});
afterEach(async () => {
  await Promise.all(clients.map((client) => client.destroy()));
  await server.close();
});

/** Opens a client; from then on `answer` handles everything but the look-up of the token. */
async function open(
  answer: (response: ServerResponse, count: number, path: string) => void,
  options: Partial<VaultClientOptions> = {},
): Promise<VaultClient> {
  let count = 0;
  server.handler = ({ path }, response) => {
    if (path === '/v1/auth/token/lookup-self') return answerLookup(response);
    count += 1;
    answer(response, count, path);
  };
  const auth = tokenAuth({ token: TOKEN });
  // No jitter: repetitions follow at once.
  const client = await VaultClient.open({
    address: server.address,
    ca: server.caPem,
    auth,
    random: () => 0,
    ...options,
  });
  clients.push(client);
  return client;
}

const secret = (response: ServerResponse): void =>
  reply(response, 200, { request_id: 'r-1', data: { data: { a: 1 }, metadata: { version: 3, created_time: '' } } });

describe('what is sent', () => {
  test('every request says that it is meant for Vault, and the namespace everywhere but on the health path', async () => {
    const client = await open(
      (response, _count, path) =>
        path === '/v1/sys/health' ? reply(response, 200, { initialized: true, sealed: false }) : secret(response),
      { namespace: 'team' },
    );
    await client.kv().read('a');
    await client.health();
    expect(server.requests.every(({ headers }) => headers['x-vault-request'] === 'true')).toBe(true);
    expect(server.to('/v1/secret/')[0]?.headers['x-vault-namespace']).toBe('team');
    expect(server.to('/v1/secret/')[0]?.headers['x-vault-token']).toBe(TOKEN);
    expect(server.to('/v1/sys/health')[0]?.headers['x-vault-namespace']).toBeUndefined();
    expect(server.to('/v1/sys/health')[0]?.headers['x-vault-token']).toBeUndefined();
  });

  test('a path keeps its characters and cannot leave its mount', async () => {
    const client = await open(secret);
    await client.kv().read('team a/b&c?d');
    expect(server.to('/v1/secret/')[0]?.path).toBe('/v1/secret/data/team%20a/b%26c%3Fd');
    for (const path of ['../x', 'a/../../sys/seal', 'a//b', '.']) {
      await expect(client.kv().read(path)).rejects.toThrow(TypeError);
    }
  });

  test('an address without TLS is refused beyond loopback', async () => {
    const auth = tokenAuth({ token: TOKEN });
    await expect(VaultClient.open({ address: 'http://vault.example:8200', auth })).rejects.toThrow(
      /^address: must be https/,
    );
    await expect(VaultClient.open({ address: 'https://user:pw@vault.example', auth })).rejects.toThrow(/^address:/);
  });

  test('three hundred calls share the few connections that were allowed', async () => {
    const client = await open(secret, { connections: 4 });
    await Promise.all(Array.from({ length: 300 }, () => client.kv().read('a')));
    expect(server.connections).toBeLessThanOrEqual(4);
  });
});

describe('redirects', () => {
  test('one inside the origin is followed', async () => {
    const client = await open((response, count) =>
      count === 1 ? reply(response, 307, '', { location: '/v1/secret/data/moved' }) : secret(response),
    );
    expect((await client.kv().read('a')).version).toBe(3);
    expect(server.to('/v1/secret/data/moved')).toHaveLength(1);
  });

  test('one to another origin is refused and the token stays here', async () => {
    const other = await FaultVault.listen();
    const client = await open((response) =>
      reply(response, 307, '', { location: `${other.address}/v1/secret/data/a` }),
    );
    await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'redirect-refused', status: 307 });
    expect(other.requests).toEqual([]);
    await other.close();
  });

  test('a loop ends after one', async () => {
    const client = await open((response, count) => reply(response, 307, '', { location: `/v1/secret/data/${count}` }));
    await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'redirect-refused' });
    expect(server.to('/v1/secret/')).toHaveLength(2);
  });
});

describe('repetition', () => {
  test.each([500, 502, 503, 412, 429])('a read is repeated after %i', async (status) => {
    const client = await open((response, count) =>
      count < 3 ? reply(response, status, { errors: [] }) : secret(response),
    );
    expect((await client.kv().read('a')).version).toBe(3);
  });

  test.each([400, 403, 404, 405, 413])('a read is not repeated after %i', async (status) => {
    const client = await open((response) => reply(response, status, { errors: ['no'] }));
    await expect(client.kv().read('a')).rejects.toMatchObject({ status, errors: ['no'], retryable: false });
    expect(server.to('/v1/secret/')).toHaveLength(1);
  });

  test.each([500, 502])('leasing a login is not repeated after %i, since a lease may exist', async (status) => {
    const client = await open((response) => reply(response, status, { errors: [] }));
    await expect(client.database().credentials('role')).rejects.toMatchObject({
      code: 'unavailable',
      maybeExecuted: true,
    });
    expect(server.to('/v1/database/')).toHaveLength(1);
  });

  test('leasing a login is not repeated after a lost answer', async () => {
    const client = await open((response) => response.destroy());
    await expect(client.database().credentials('role')).rejects.toMatchObject({ code: 'network' });
    expect(server.to('/v1/database/')).toHaveLength(1);
  });

  test.each([
    [429, []],
    [412, []],
    [503, ['Vault is sealed']],
  ])('leasing a login is repeated after %i %j, which made nothing', async (status, errors) => {
    const lease = { lease_id: 'l', lease_duration: 60, renewable: true, data: { username: 'u', password: 'p' } };
    const client = await open((response, count) =>
      reply(response, count < 3 ? status : 200, count < 3 ? { errors } : lease),
    );
    expect((await client.database().credentials('role')).value.username).toBe('u');
  });

  test('the server decides how long to wait, and a wait that is too long is handed to the caller', async () => {
    const client = await open((response) => reply(response, 429, { errors: [] }, { 'retry-after': '3600' }));
    const failure = { code: 'rate-limited', retryAfterMs: 3_600_000, retryable: true };
    await expect(client.kv().read('a')).rejects.toMatchObject(failure);
    expect(server.to('/v1/secret/')).toHaveLength(1);
  });

  test('a wait ends when the caller gives up', async () => {
    const stop = new AbortController();
    const client = await open((response) => {
      reply(response, 429, { errors: [] }, { 'retry-after': '20' });
      setImmediate(() => stop.abort(new Error('enough')));
    });
    await expect(client.kv().read('a', { signal: stop.signal })).rejects.toThrow('enough');
  });
});

describe('the breaker', () => {
  const options = { maxRetries: 0, breakerThreshold: 3, breakerPauseMs: 20 };

  test('opens after failures in a row, fails fast, and lets exactly one call through when it half opens', async () => {
    const held: ServerResponse[] = [];
    let broken = true;
    const client = await open((response) => {
      if (broken) reply(response, 500, { errors: [] });
      else held.push(response);
    }, options);
    for (let call = 0; call < 3; call += 1) {
      await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'unavailable' });
    }
    await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'breaker-open', retryable: true });
    expect(server.to('/v1/secret/')).toHaveLength(3);
    broken = false;
    let probe: Promise<unknown> | undefined;
    while (held.length === 0) {
      probe = client.kv().read('a');
      await Promise.race([probe.catch(() => undefined), new Promise((resolve) => setImmediate(resolve))]);
    }
    const waiting = Array.from({ length: 10 }, () => client.kv().read('a'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(held).toHaveLength(1);
    server.handler = (_request, response) => secret(response);
    for (const response of held) secret(response);
    await Promise.all([probe, ...waiting]);
    expect((await client.health()).breaker).toBe('closed');
  });

  test.each([400, 403, 404, 429])('does not open for %i, which is no trouble of the server', async (status) => {
    const client = await open((response) => reply(response, status, { errors: [] }), options);
    for (let call = 0; call < 10; call += 1) await expect(client.kv().read('a')).rejects.toMatchObject({ status });
    expect(server.to('/v1/secret/')).toHaveLength(10);
  });
});

describe('answers that are none', () => {
  test('text that is not JSON is refused without being quoted', async () => {
    const client = await open((response) => reply(response, 200, '{"data": s3cret'));
    const error: Error = await client
      .kv()
      .read('a')
      .then(
        () => new Error('accepted'),
        (reason) => reason,
      );
    expect(error).toMatchObject({ code: 'bad-response' });
    expect(error.message).not.toContain('s3cret');
  });

  test('a proxy that answers in HTML is told from Vault by the status', async () => {
    const client = await open((response) => reply(response, 502, '<html>'), { maxRetries: 0 });
    await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'unavailable', status: 502 });
  });

  test('one over the size limit is cut off', async () => {
    const client = await open((response) => reply(response, 200, 'x'.repeat(5_000)), { maxResponseBytes: 4_096 });
    await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'response-too-large' });
  });

  test('one that does not come in time is a timeout', async () => {
    const client = await open(() => undefined, { requestTimeoutMs: 50, maxRetries: 0 });
    await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'timeout', retryable: true });
  });

  test('one that the caller does not wait for rejects with the reason', async () => {
    const stop = new AbortController();
    const client = await open(() => stop.abort(new Error('gone')));
    await expect(client.kv().read('a', { signal: stop.signal })).rejects.toThrow('gone');
  });
});

describe('TLS', () => {
  test('a server of another CA is refused with one line that says so', async () => {
    const other = await FaultVault.listen();
    const auth = tokenAuth({ token: TOKEN });
    const opening = VaultClient.open({ address: server.address, ca: other.caPem, auth });
    await expect(opening).rejects.toMatchObject({ code: 'tls', retryable: false });
    expect(server.requests).toEqual([]);
    await other.close();
  });

  test('a CA file that changes is read again for the next connection', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ca-'));
    const file = join(folder, 'ca.pem');
    writeFileSync(file, server.caPem);
    const client = await open(secret, { ca: { file } });
    await client.kv().read('a');
    const port = Number(new URL(server.address).port);
    await server.close();
    server = await FaultVault.listen({ port });
    server.handler = (_request, response) => secret(response);
    await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'tls' });
    writeFileSync(file, server.caPem);
    expect((await client.kv().read('a')).version).toBe(3);
    rmSync(folder, { recursive: true });
  });
});

describe('a refusal', () => {
  test('of a live token is looked into once for many calls', async () => {
    const client = await open((response) => reply(response, 403, { errors: ['permission denied'] }));
    const before = server.to('/v1/auth/token/lookup-self').length;
    const calls = Array.from({ length: 20 }, () => client.kv().read('a'));
    for (const result of await Promise.allSettled(calls)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'permission-denied' } });
    }
    expect(server.to('/v1/auth/token/lookup-self').length - before).toBe(1);
  });

  test('of a token that was handed in and is dead is final: there is no second one', async () => {
    const client = await open(secret);
    server.handler = (_request, response) => reply(response, 403, { errors: ['invalid token'] });
    await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'permission-denied' });
    await expect(client.rotateToken()).rejects.toMatchObject({ code: 'token-not-replaceable' });
  });
});

describe('opening', () => {
  test('waits for a server that is not there yet', async () => {
    const authority = CertificateAuthority.create('late.test');
    const port = Number(new URL(server.address).port);
    await server.close();
    const waits: number[] = [];
    const clock: Clock = {
      ...systemClock,
      setTimer(delayMs, callback) {
        waits.push(delayMs);
        return systemClock.setTimer(delayMs, callback);
      },
    };
    const opening = VaultClient.open({
      address: `https://127.0.0.1:${port}`,
      ca: authority.certificatePem,
      auth: tokenAuth({ token: TOKEN }),
      clock,
    });
    // The wait between two logins is the one that is not a request's time limit.
    while (!waits.some((delayMs) => delayMs < 10_000)) await new Promise((resolve) => setImmediate(resolve));
    server = await FaultVault.listen({ authority, port });
    server.handler = (_request, response) => answerLookup(response);
    const client = await opening;
    clients.push(client);
    expect(client.token.accessor).toBe('acc');
  });

  test('a closed client says that it is closed', async () => {
    const client = await open(secret);
    await client.close();
    await client.close();
    await client.destroy();
    await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'closed' });
  });
});
