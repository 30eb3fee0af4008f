import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Secret } from '../common/index.ts';
import { answerSecret, openOnFault } from '../testing/fault-client.ts';
import { FaultVault, reply } from '../testing/fault-vault.ts';
import { tokenAuth } from './auth/token.ts';
import { VaultClient } from './client.ts';

let server: FaultVault;
beforeEach(async () => {
  server = await FaultVault.listen();
});
afterEach(() => server.close());

const auth = tokenAuth({ token: 'hvs.handed-in' });

describe('what the server is', () => {
  test.each([
    [503, ['Vault is sealed'], 'sealed'],
    [503, ['Vault is in standby mode'], 'standby'],
    [473, [], 'standby'],
    [501, [], 'uninitialized'],
    [503, ['Vault is not initialized'], 'uninitialized'],
    [503, [], 'unavailable'],
  ])('%i %j is told as %s, calls nothing executed, and opens the breaker', async (status, errors, code) => {
    const options = { maxRetries: 0, breakerThreshold: 3, breakerPauseMs: 60_000 };
    await using client = await openOnFault(server, (response) => reply(response, status, { errors }), options);
    const maybeExecuted = code === 'unavailable';
    for (let call = 0; call < 3; call += 1) {
      await expect(client.kv().read('a')).rejects.toMatchObject({ code, status, retryable: true, maybeExecuted });
    }
    for (let call = 0; call < 100; call += 1) {
      await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'breaker-open' });
    }
    expect(server.to('/v1/secret/')).toHaveLength(3);
  });

  test.each([
    [200, 'active'],
    [429, 'standby'],
    [472, 'disaster-recovery-secondary'],
    [473, 'performance-standby'],
    [474, 'standby-without-active'],
    [501, 'uninitialized'],
    [503, 'sealed'],
    [530, 'removed'],
  ])('the health path says by %i that the node is %s', async (status, state) => {
    const body = { initialized: status !== 501, sealed: status === 503, standby: status === 429, version: '2.0' };
    await using client = await openOnFault(server, (response) => reply(response, status, body));
    expect(await client.sys.health()).toEqual({ state, ...body });
    // It is asked once: a status that would be a failure elsewhere is the answer here.
    expect(server.to('/v1/sys/health')).toHaveLength(1);
  });

  test('what a sealed server lacks to be unsealed is told without a token', async () => {
    const body = { type: 'shamir', initialized: true, sealed: true, t: 3, n: 5, progress: 1, version: '2.0' };
    await using client = await openOnFault(server, (response) => reply(response, 200, body));
    const expected = { type: 'shamir', sealed: true, threshold: 3, shares: 5, progress: 1 };
    expect(await client.sys.sealStatus()).toMatchObject(expected);
    expect(server.to('/v1/sys/seal-status')[0]?.headers['x-vault-token']).toBeUndefined();
  });
});

describe('requests of which the server keeps track', () => {
  test('the id of the request is on the answer and on the error', async () => {
    await using client = await openOnFault(server, (response, count) =>
      count === 1
        ? answerSecret(response)
        : reply(response, 400, { request_id: 'r-2', errors: ['wrong'] }, { 'content-type': 'application/json' }),
    );
    const call = { method: 'GET', path: 'secret/data/a' } as const;
    expect((await client.request(call)).requestId).toBe('r-1');
    await expect(client.request(call)).rejects.toMatchObject({ requestId: 'r-2', errors: ['wrong'] });
  });

  test('what was written is asked for by its state, and a node that lags behind is asked again', async () => {
    await using client = await openOnFault(server, (response, count) => {
      if (count === 1) return reply(response, 200, { data: { version: 1 } }, { 'x-vault-index': 'state-1' });
      if (count < 4) return reply(response, 412, { errors: ['required index state not present'] });
      answerSecret(response);
    });
    await client.kv().write('a', { a: 1 });
    expect((await client.kv().read('a')).version).toBe(3);
    const sent = server.to('/v1/secret/').map(({ headers }) => headers['x-vault-index']);
    expect(sent).toEqual([undefined, 'state-1', 'state-1', 'state-1']);
  });

  test('a node that never catches up ends in a typed error', async () => {
    await using client = await openOnFault(server, (response) => reply(response, 412, { errors: [] }));
    await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'not-consistent', maybeExecuted: false });
    expect(server.to('/v1/secret/')).toHaveLength(4);
  });

  test.each([
    ['after a refusal', 403, {}],
    ['while the server is sealed', 503, {}],
    ['when there were too many', 429, { 'retry-after': '0' }],
    ['when its answer is lost', 0, {}],
  ])('unwrapping is not repeated %s', async (_when, status, headers) => {
    await using client = await openOnFault(server, (response, _count, { path }) => {
      if (path.endsWith('/lookup')) return reply(response, 200, { data: { creation_path: 'p', creation_ttl: 60 } });
      if (status === 0) return response.destroy();
      reply(response, status, { errors: ['Vault is sealed'] }, headers);
    });
    const token = new Secret('hvs.wrapping');
    await expect(client.wrapping.unwrap(token, { creationPath: 'p' })).rejects.toMatchObject({ name: 'VaultError' });
    expect(server.to('/v1/sys/wrapping/unwrap')).toHaveLength(1);
    expect(server.to('/v1/sys/wrapping/unwrap')[0]?.headers['x-vault-token']).toBe('hvs.wrapping');
  });
});

describe('answers that do not end well', () => {
  test('one that breaks off in the middle is a broken connection', async () => {
    await using client = await openOnFault(
      server,
      (response) => {
        response.writeHead(200, { 'content-length': '1000' });
        response.write('{"data":', () => response.destroy());
      },
      { maxRetries: 0 },
    );
    await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'network', retryable: true });
  });

  test('one of 100 MiB is cut off early, and not read to its end', async () => {
    const chunk = Buffer.alloc(1024 * 1024, 0x20);
    let sent = 0;
    let closed: () => void = () => undefined;
    const end = new Promise<void>((resolve) => (closed = resolve));
    await using client = await openOnFault(server, (response) => {
      response.on('close', closed);
      const send = (): void => {
        while (sent < 100 && !response.destroyed) {
          sent += 1;
          if (!response.write(chunk)) return void response.once('drain', send);
        }
      };
      send();
    });
    await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'response-too-large', retryable: false });
    await end;
    expect(sent).toBeLessThan(100);
  });

  test('a head that does not come, and a body that stops coming, are told apart', async () => {
    const limits = { headersTimeoutMs: 50, bodyTimeoutMs: 50, maxRetries: 0 };
    await using client = await openOnFault(
      server,
      (response, count) => {
        if (count === 1) return;
        response.writeHead(200);
        response.write('{"data":');
      },
      limits,
    );
    await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'timeout', phase: 'headers' });
    await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'timeout', phase: 'body' });
  });

  test('a body that comes drop by drop ends at the limit of the attempt', async () => {
    const drops: NodeJS.Timeout[] = [];
    const options = { requestTimeoutMs: 300, bodyTimeoutMs: 60_000, maxRetries: 0 };
    await using client = await openOnFault(
      server,
      (response) => {
        response.writeHead(200);
        drops.push(setInterval(() => response.write(' '), 20));
      },
      options,
    );
    await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'timeout', phase: 'request' });
    for (const drop of drops) clearInterval(drop);
  });
});

describe('no connection', () => {
  test('a certificate that has expired is told as such', async () => {
    const expired = await FaultVault.listen({ startedAtMs: Date.now() - 3_600_000 });
    const opening = VaultClient.open({ address: expired.address, ca: expired.caPem, auth });
    await expect(opening).rejects.toMatchObject({ code: 'tls', retryable: false, maybeExecuted: false });
    await expect(opening).rejects.toThrow(/CERT_HAS_EXPIRED/);
    expect(expired.requests).toEqual([]);
    await expired.close();
  });

  test('a name that does not exist means that nothing was sent', async () => {
    const opening = VaultClient.open({ address: 'https://vault.invalid:8200', auth, openTimeoutMs: 0, maxRetries: 0 });
    await expect(opening).rejects.toMatchObject({ retryable: true, maybeExecuted: false });
  });

  test('a peer that accepts and does not shake hands is a timeout of the connection', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = silent.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const limits = { connectTimeoutMs: 50, openTimeoutMs: 0, maxRetries: 0 };
    const opening = VaultClient.open({ address: `https://127.0.0.1:${port}`, ca: server.caPem, auth, ...limits });
    await expect(opening).rejects.toMatchObject({ code: 'timeout', phase: 'connect', maybeExecuted: false });
    silent.close();
  });
});
