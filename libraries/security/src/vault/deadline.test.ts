import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../common/index.ts';
import { answerSecret, type FaultAnswer, openOnFault } from '../testing/fault-client.ts';
import { answerLookup, FaultVault, reply } from '../testing/fault-vault.ts';
import { jwtAuth } from './auth/jwt.ts';
import { tokenAuth } from './auth/token.ts';
import { VaultClient } from './client.ts';

let server: FaultVault;
beforeEach(async () => {
  server = await FaultVault.listen();
});
afterEach(() => server.close());

const read = { method: 'GET', path: 'secret/data/a' } as const;

describe('the limit of a whole call', () => {
  test('ends the repetitions, and says nothing about the server', async () => {
    const options = { maxRetries: 10, breakerThreshold: 1, random: () => 0.999 };
    await using client = await openOnFault(server, (response) => reply(response, 429, { errors: [] }), options);
    await expect(client.request({ ...read, timeoutMs: 30 })).rejects.toMatchObject({
      code: 'deadline-exceeded',
      retryable: true,
    });
    expect((await client.health()).breaker).toBe('closed');
  });

  test('ends a wait that the server asked for, and an attempt that hangs', async () => {
    // Fires the limit by hand, once the request is there.
    const limits: (() => void)[] = [];
    const clock: Clock = {
      ...systemClock,
      setTimer(delayMs, callback) {
        if (delayMs !== 7_777) return systemClock.setTimer(delayMs, callback);
        limits.push(callback);
        return { cancel: () => undefined };
      },
    };
    const answer: FaultAnswer = (response, count) => {
      if (count === 1) reply(response, 429, { errors: [] }, { 'retry-after': '20' });
      setImmediate(() => limits.at(-1)?.());
    };
    await using client = await openOnFault(server, answer, { clock });
    for (let call = 0; call < 2; call += 1) {
      await expect(client.request({ ...read, timeoutMs: 7_777 })).rejects.toMatchObject({ code: 'deadline-exceeded' });
    }
    expect(server.to('/v1/secret/')).toHaveLength(2);
  });

  test('is the one of the client unless the call has its own', async () => {
    await using client = await openOnFault(server, () => undefined, { callTimeoutMs: 30 });
    await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'deadline-exceeded' });
    server.handler = (_request, response) => answerSecret(response);
    expect((await client.request({ ...read, timeoutMs: 60_000 })).status).toBe(200);
    await expect(client.request({ ...read, timeoutMs: 0 })).rejects.toThrow(/^timeoutMs:/);
  });
});

describe('a caller that gives up', () => {
  const reason = new Error('enough');

  /** A peer that takes connections and says nothing. */
  async function silentPeer() {
    const peer = createServer().listen(0, '127.0.0.1');
    await once(peer, 'listening');
    const address = peer.address();
    return { peer, port: typeof address === 'object' ? address?.port : 0 };
  }

  test('while connecting', async () => {
    const { peer, port } = await silentPeer();
    const stop = new AbortController();
    const auth = tokenAuth({ token: 'hvs.x' });
    const opening = VaultClient.open({ address: `https://127.0.0.1:${port}`, auth, signal: stop.signal });
    const settled = expect(opening).rejects.toBe(reason);
    await once(peer, 'connection');
    stop.abort(reason);
    await settled;
    peer.close();
  });

  test('while a login is under way', async () => {
    const stop = new AbortController();
    server.handler = () => stop.abort(reason);
    const auth = jwtAuth({ role: 'r', fetchToken: () => Promise.resolve('jwt') });
    const { address, caPem: ca } = server;
    await expect(VaultClient.open({ address, ca, auth, signal: stop.signal })).rejects.toBe(reason);
  });

  test('while the identity for the login is fetched', async () => {
    const stop = new AbortController();
    const fetchToken = ({ signal }: { signal?: AbortSignal | undefined }): Promise<string> =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason));
        stop.abort(reason);
      });
    const { address, caPem: ca } = server;
    const opening = VaultClient.open({ address, ca, auth: jwtAuth({ role: 'r', fetchToken }), signal: stop.signal });
    await expect(opening).rejects.toBe(reason);
    expect(server.requests).toEqual([]);
  });

  test.each([
    ['before the head of the answer', 'head'],
    ['in the middle of the answer', 'body'],
    ['between two attempts', 'wait'],
  ])('%s', async (_when, phase) => {
    const stop = new AbortController();
    await using client = await openOnFault(server, (response) => {
      if (phase === 'body') {
        response.writeHead(200);
        response.write('{"data":', () => stop.abort(reason));
        return;
      }
      if (phase === 'wait') reply(response, 429, { errors: [] }, { 'retry-after': '20' });
      setImmediate(() => stop.abort(reason));
    });
    await expect(client.kv().read('a', { signal: stop.signal })).rejects.toBe(reason);
    expect(server.to('/v1/secret/')).toHaveLength(1);
    // The client itself is well.
    server.handler = (_request, response) => answerSecret(response);
    expect((await client.kv().read('a')).version).toBe(3);
  });

  test('before anything is sent', async () => {
    await using client = await openOnFault(server, (response) => answerSecret(response));
    await expect(client.kv().read('a', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(server.to('/v1/secret/')).toEqual([]);
  });

  test('while the breaker waits for its probe, without ending the probe', async () => {
    const options = { maxRetries: 0, breakerThreshold: 1, breakerPauseMs: 1 };
    let probes = 0;
    let finish: () => void = () => undefined;
    await using client = await openOnFault(
      server,
      (response, count) => {
        if (count === 1) return reply(response, 500, { errors: [] });
        probes += 1;
        finish = () => answerSecret(response);
      },
      options,
    );
    await expect(client.kv().read('a')).rejects.toMatchObject({ code: 'unavailable' });
    let probe: Promise<unknown> = Promise.resolve();
    while (probes === 0) {
      probe = client.kv().read('a');
      await Promise.race([probe.catch(() => undefined), new Promise((resolve) => setImmediate(resolve))]);
    }
    const stop = new AbortController();
    const waiting = client.kv().read('a', { signal: stop.signal });
    const settled = expect(waiting).rejects.toBe(reason);
    stop.abort(reason);
    await settled;
    expect(probes).toBe(1);
    server.handler = (_request, response) => answerSecret(response);
    finish();
    await probe;
  });

  test('while the client closes', async () => {
    server.handler = ({ path }, response) => {
      if (path.endsWith('/login')) {
        const auth = { client_token: 'hvs.t', accessor: 'a', lease_duration: 600, renewable: true };
        return reply(response, 200, { auth });
      }
      if (path.endsWith('/lookup-self')) answerLookup(response);
      // The revocation is never answered.
    };
    const auth = jwtAuth({ role: 'r', fetchToken: () => Promise.resolve('jwt') });
    const { address, caPem: ca } = server;
    const client = await VaultClient.open({ address, ca, auth, closeTimeoutMs: 1_000 });
    await client.close();
    expect(server.to('/v1/auth/token/revoke-self')).toHaveLength(1);
  });
});
