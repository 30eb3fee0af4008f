import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent, MockAgent, request } from 'undici';
import { afterEach, expect, test } from 'vitest';
import { matchAny, parseJwtSvidInsecure, SpiffeError } from '../../spiffe/index.ts';
import { CertificateAuthority, FixedIdentity } from '../../testing/index.ts';
import { httpsServer } from './https-server.ts';
import { jwtSvidInterceptor } from './jwt-svid-interceptor.ts';
import { spiffeAgent } from './spiffe-agent.ts';

const ID = 'spiffe://example.org/a';
const authority = CertificateAuthority.create('example.org');
const source = {
  async fetchJwtSvid({ audience }: { audience: string | readonly string[] }) {
    return parseJwtSvidInsecure(authority.issueJwtSvid({ id: ID, audience, ttlSeconds: 60 }));
  },
};
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const answer = (call: IncomingMessage): string => JSON.stringify(call.headersDistinct);

async function serve(): Promise<string> {
  const server = createServer((call, reply) => reply.end(answer(call)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

function agentOf(fetcher: Parameters<typeof jwtSvidInterceptor>[0] = source) {
  const agent = new Agent();
  cleanups.push(() => agent.destroy());
  return agent.compose(jwtSvidInterceptor(fetcher, 'api'));
}

test('J-13: each request has the token, once, beside the headers of the caller', async () => {
  const url = await serve();
  for (const headers of [
    { 'x-own': 'kept', Authorization: 'Bearer stale' },
    ['x-own', 'kept', 'authorization', 'Bearer stale'],
    new Headers({ 'x-own': 'kept', authorization: 'Bearer stale' }),
  ]) {
    const reply = await request(url, { dispatcher: agentOf(), headers });
    const received = (await reply.body.json()) as Record<string, string[]>;
    expect(received['x-own']).toEqual(['kept']);
    expect(received.authorization).toHaveLength(1);
    const [scheme, token = ''] = received.authorization?.[0]?.split(' ') ?? [];
    expect([scheme, parseJwtSvidInsecure(token, 'api').id.toString()]).toEqual(['Bearer', ID]);
  }
});

test('J-13, J-19: it travels inside mutual TLS', async () => {
  const identity = FixedIdentity.issue(authority, ID);
  const server = httpsServer({ identity, authorize: matchAny() }, (call, reply) => reply.end(answer(call)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const agent = spiffeAgent({ identity, authorize: matchAny() });
  cleanups.push(
    () => server.close(),
    () => agent.destroy(),
  );
  const dispatcher = agent.compose(jwtSvidInterceptor(source, 'api'));
  const reply = await request(`https://127.0.0.1:${(server.address() as AddressInfo).port}/`, { dispatcher });
  expect(await reply.body.json()).toMatchObject({ authorization: [expect.stringMatching(/^Bearer /)] });
});

test('J-19: it never travels to another host in the clear', async () => {
  const url = await serve();
  expect((await request(url, { dispatcher: agentOf() })).statusCode).toBe(200);
  const network = new MockAgent();
  network.disableNetConnect();
  cleanups.push(() => network.close());
  let asked = 0;
  const counting = {
    fetchJwtSvid: (request: { audience: string | readonly string[] }) => {
      asked += 1;
      return source.fetchJwtSvid(request);
    },
  };
  const dispatcher = network.compose(jwtSvidInterceptor(counting, 'api'));
  for (const target of [
    'http://api.example.org/',
    'http://10.0.0.1/',
    'http://localhost.example.org/',
    'http://127.evil.org/',
  ]) {
    await expect(request(target, { dispatcher })).rejects.toMatchObject({ code: 'JWT_LINK_REFUSED' });
  }
  expect(asked).toBe(0);
});

test('a request fails with the reason when there is no token', async () => {
  const url = await serve();
  const failing = { fetchJwtSvid: () => Promise.reject(new SpiffeError('WORKLOAD_API_UNAVAILABLE', 'no agent')) };
  await expect(request(url, { dispatcher: agentOf(failing) })).rejects.toMatchObject({
    code: 'WORKLOAD_API_UNAVAILABLE',
  });
});
