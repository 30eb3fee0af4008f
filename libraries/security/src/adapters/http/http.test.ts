import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fastify from 'fastify';
import { request } from 'undici';
import { afterEach, describe, expect, test } from 'vitest';
import { matchAny, matchId } from '../../spiffe/index.ts';
import { CertificateAuthority, FixedIdentity, x509SvidOf } from '../../testing/index.ts';
import { peerSpiffeId } from '../../tls/index.ts';
import { httpsServer } from './https-server.ts';
import { spiffeAgent } from './spiffe-agent.ts';

const authority = CertificateAuthority.create('example.org');
const SERVER = 'spiffe://example.org/server';
const CLIENT = 'spiffe://example.org/client';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(identity = FixedIdentity.issue(authority, SERVER)) {
  const calls: string[] = [];
  const server = httpsServer({ identity, authorize: matchId(CLIENT) }, (call, reply) => {
    calls.push(call.url ?? '');
    reply.end(String(peerSpiffeId(call.socket)));
  });
  const refusals: Error[] = [];
  server.on('tlsClientError', (error) => refusals.push(error));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`, calls, refusals };
}

function agentOf(identity: FixedIdentity, expected = SERVER) {
  const agent = spiffeAgent({ identity, authorize: matchId(expected) });
  cleanups.push(() => agent.destroy());
  return agent;
}

describe('HTTPS between workloads', () => {
  test('carries requests and tells the handler who calls', async () => {
    const { url } = await serve();
    const reply = await request(url, { dispatcher: agentOf(FixedIdentity.issue(authority, CLIENT)) });
    expect(await reply.body.text()).toBe(CLIENT);
  });

  test('refuses a caller that is not authorized before any handler runs', async () => {
    const { url, calls, refusals } = await serve();
    const allowed = agentOf(FixedIdentity.issue(authority, CLIENT));
    await (await request(`${url}allowed`, { dispatcher: allowed })).body.dump();
    const denied = agentOf(FixedIdentity.issue(authority, 'spiffe://example.org/other'));
    await expect(request(`${url}denied`, { dispatcher: denied })).rejects.toThrow();
    await expect(fetch(url)).rejects.toThrow();
    expect(calls).toEqual(['/allowed']);
    expect(refusals[0]).toMatchObject({ code: 'ID_NOT_AUTHORIZED' });
  });

  test('sends nothing to a server with another ID', async () => {
    const { url, calls } = await serve();
    const identity = FixedIdentity.issue(authority, CLIENT);
    await (await request(`${url}one`, { dispatcher: agentOf(identity) })).body.dump();
    const picky = agentOf(identity, 'spiffe://example.org/another');
    await expect(request(`${url}two`, { dispatcher: picky })).rejects.toMatchObject({ code: 'ID_NOT_AUTHORIZED' });
    expect(calls).toEqual(['/one']);
  });

  test('uses the current SVIDs of both ends for new connections', async () => {
    const server = FixedIdentity.issue(authority, SERVER);
    const client = FixedIdentity.issue(authority, CLIENT);
    const { url } = await serve(server);
    await (await request(url, { dispatcher: agentOf(client) })).body.dump();
    // What was valid then is not valid any more: only current SVIDs get through.
    const next = CertificateAuthority.create('example.org');
    for (const [identity, id] of [
      [server, SERVER],
      [client, CLIENT],
    ] as const) {
      identity.setX509Bundle(next.bundle());
      identity.setX509Svid(x509SvidOf(next.issueX509Svid({ id, ttlSeconds: 60 })));
    }
    const reply = await request(url, { dispatcher: agentOf(client) });
    expect(await reply.body.text()).toBe(CLIENT);
    const stale = agentOf(FixedIdentity.issue(authority, CLIENT, [next.bundle()]));
    await expect(request(url, { dispatcher: stale })).rejects.toThrow();
  });

  test('refuses plain http', async () => {
    const plain = createServer((_call, reply) => reply.end('plain')).listen(0, '127.0.0.1');
    await once(plain, 'listening');
    cleanups.push(() => plain.close());
    const url = `http://127.0.0.1:${(plain.address() as AddressInfo).port}/`;
    expect(await (await request(url)).body.text()).toBe('plain');
    const agent = agentOf(FixedIdentity.issue(authority, CLIENT));
    await expect(request(url, { dispatcher: agent })).rejects.toThrow(/https: only/);
  });

  test('serves fastify', async () => {
    const identity = FixedIdentity.issue(authority, SERVER);
    const app = fastify({ serverFactory: (handler) => httpsServer({ identity, authorize: matchAny() }, handler) });
    app.get('/who', (call) => ({ caller: peerSpiffeId(call.raw.socket) }));
    const url = await app.listen({ host: '127.0.0.1', port: 0 });
    cleanups.push(() => app.close());
    const dispatcher = agentOf(FixedIdentity.issue(authority, CLIENT));
    const reply = await request(`${url.replace('http:', 'https:')}/who`, { dispatcher });
    expect(await reply.body.json()).toEqual({ caller: CLIENT });
  });
});
