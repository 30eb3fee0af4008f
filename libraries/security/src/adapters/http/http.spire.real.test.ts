import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { type SpireStack, startSpire } from '@neural-hive/real-stack';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { matchId, X509Source } from '../../spiffe/index.ts';
import { peerSpiffeId } from '../../tls/index.ts';
import { httpsServer } from './https-server.ts';
import { spiffeAgent } from './spiffe-agent.ts';

const ID = 'spiffe://example.org/workload';

let spire: SpireStack;
let identity: X509Source;

beforeAll(async () => {
  spire = await startSpire();
  const selectors = [`unix:path:${realpathSync(process.execPath)}`];
  await spire.createEntry({ id: ID, selectors, x509TtlSeconds: 18 });
  identity = await X509Source.open({ endpoint: spire.endpoint, initialSyncTimeoutMs: 20_000 });
});
afterAll(async () => {
  await identity?.close();
  await spire?.stop();
});

test('requests between an HTTPS server and undici never fail while the agent renews the SVID', async () => {
  const connections = new Set<unknown>();
  const server = httpsServer({ identity, authorize: matchId(ID) }, (call, reply) => {
    connections.add(call.socket);
    reply.end(String(peerSpiffeId(call.socket)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const kept = spiffeAgent({ identity, authorize: matchId(ID) });
  const generations = new Set([identity.generation]);
  const stopAtMs = performance.now() + 25_000;
  let requests = 0;
  try {
    while (generations.size < 4 && performance.now() < stopAtMs) {
      // One connection that stays, and one that is new each time.
      const fresh = spiffeAgent({ identity, authorize: matchId(ID) });
      for (const dispatcher of [kept, fresh]) {
        const reply = await request(url, { dispatcher });
        expect(await reply.body.text()).toBe(ID);
        requests += 1;
      }
      await fresh.close();
      generations.add(identity.generation);
    }
    expect(generations.size).toBe(4);
    expect(connections.size).toBeGreaterThan(10);
    expect(requests).toBeGreaterThan(20);
    const stranger = spiffeAgent({ identity, authorize: matchId(`${ID}/other`) });
    await expect(request(url, { dispatcher: stranger })).rejects.toMatchObject({ code: 'ID_NOT_AUTHORIZED' });
    await stranger.destroy();
  } finally {
    await kept.destroy();
    server.closeAllConnections();
    server.close();
  }
});
