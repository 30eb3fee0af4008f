import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { type Client, connectivityState, Server, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { matchAny, matchId, matchMemberOf, X509Source } from '../../spiffe/index.ts';
import { CertificateAuthority } from '../../testing/certificate-authority.ts';
import { FixedIdentity, x509SvidOf } from '../../testing/fixed-identity.ts';
import { WorkloadApiServer } from '../../testing/workload-api-server.ts';
import { WorkloadIssuer } from '../../testing/workload-issuer.ts';
import { secureContextOptions } from '../../tls/index.ts';
import { listenSpiffe } from './listen-spiffe.ts';
import { SpiffeAuthInterceptor } from './spiffe-auth-interceptor.ts';
import { authorization, CLIENT_ID, EchoService, OTHER_ID, outcomeOf, SERVER_ID } from './testing/echo-service.ts';

let service: EchoService;
const cleanups: (() => unknown)[] = [];
beforeEach(() => {
  service = new EchoService();
});
afterEach(async () => {
  await service.close();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Fails at once instead of trying again until the deadline. */
async function refused(client: Client) {
  const outcome = await outcomeOf(client);
  expect(outcome.code).toBe(status.UNAVAILABLE);
  return outcome.details;
}

async function works(client: Client) {
  expect(await outcomeOf(client)).toMatchObject({ code: status.OK, values: ['hello'] });
}

const foreign = CertificateAuthority.create('foreign.org');

describe('the client', () => {
  test('talks only to the server it authorizes', async () => {
    await service.open();
    await works(service.client({ authorize: matchId(SERVER_ID) }));
    expect(await refused(service.client({ authorize: matchId(OTHER_ID) }))).toContain('not authorized');
    expect(service.handled).toBe(1);
  });

  test('judges the server by the bundle of its own trust domain', async () => {
    await service.open();
    await works(service.client());
    const ours = service.clientIdentity.getX509Svid();
    const trusting = new FixedIdentity(ours, [foreign.bundle()]);
    expect(await refused(service.client({ identity: trusting }))).toContain('no X.509 bundle');
    // The right name over the wrong keys is no help.
    const mixed = { ...foreign.bundle(), trustDomain: service.authority.trustDomain };
    const deceived = new FixedIdentity(ours, [mixed]);
    expect(await refused(service.client({ identity: deceived }))).toContain('No path leads');
  });

  test('accepts a federated server', async () => {
    service = new EchoService();
    const federated = FixedIdentity.issue(foreign, 'spiffe://foreign.org/server', [service.authority.bundle()]);
    await service.open({ listen: { identity: federated } });
    service.clientIdentity.setX509Bundle(foreign.bundle());
    await works(service.client({ authorize: matchMemberOf('foreign.org') }));
  });

  test('sends the name it is told to, and none for an address', async () => {
    await service.open();
    await works(service.client({ servername: 'registry.internal' }));
    await works(service.client({}, { 'grpc.ssl_target_name_override': 'other.internal' }));
  });

  test('shows the SVID of the moment on a new connection, while an open one keeps its own', async () => {
    const seen: string[] = [];
    const authorize = (id: { toString(): string }) => seen.push(id.toString()) > 0;
    await service.open({ listen: { authorize } });
    const first = service.client();
    await works(first);
    service.clientIdentity.setX509Svid(x509SvidOf(service.authority.issueX509Svid({ id: OTHER_ID, ttlSeconds: 60 })));
    await works(first);
    await works(service.client());
    expect(seen).toEqual([CLIENT_ID, OTHER_ID]);
  });

  test('does not connect once its identity is withdrawn', async () => {
    await service.open();
    await works(service.client());
    service.clientIdentity.setX509Svid(undefined);
    expect(await refused(service.client())).toContain('withdrawn');
  });
});

describe('the server', () => {
  test('admits only peers that it authorizes, and says so in its log', async () => {
    const lines: object[] = [];
    const logger = { warn: (fields: object) => lines.push(fields) };
    await service.open({ listen: { authorize: matchId(CLIENT_ID), logger } });
    await works(service.client());
    const other = FixedIdentity.issue(service.authority, OTHER_ID);
    await refused(service.client({ identity: other }));
    expect(service.handled).toBe(1);
    expect(lines[0]).toMatchObject({ errorCode: 'ID_NOT_AUTHORIZED' });
  });

  test('refuses a peer of a trust domain that it has no bundle of', async () => {
    await service.open();
    await works(service.client());
    const stranger = FixedIdentity.issue(foreign, 'spiffe://foreign.org/client', [service.authority.bundle()]);
    await refused(service.client({ identity: stranger }));
    expect(service.handled).toBe(1);
  });

  test('speaks HTTP/2 by ALPN, also after it has rotated', async () => {
    await service.open();
    const next = service.authority.issueX509Svid({ id: SERVER_ID, ttlSeconds: 60 });
    service.identity.setX509Svid(x509SvidOf(next));
    const socket = connectTls({
      host: '127.0.0.1',
      port: service.listener.port,
      ...secureContextOptions(service.clientIdentity.getX509Svid()),
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
    });
    cleanups.push(() => socket.destroy());
    await once(socket, 'secureConnect');
    expect(socket.alpnProtocol).toBe('h2');
    expect(socket.getPeerCertificate().raw.equals(next.certificates[0] ?? Buffer.of())).toBe(true);
  });

  test('lets a call in flight end while it closes, and takes no new connection', async () => {
    await service.open();
    let release = () => {};
    service.hold = new Promise((resolve) => {
      release = resolve;
    });
    const client = service.client();
    const call = outcomeOf(client);
    while (service.handled === 0) await new Promise((resolve) => setImmediate(resolve));
    const closing = service.listener.close();
    const late = connectTcp(service.listener.port, '127.0.0.1');
    await expect(once(late, 'connect')).rejects.toThrow('ECONNREFUSED');
    release();
    expect(await call).toMatchObject({ code: status.OK });
    await closing;
    await service.listener.close();
  });

  test('destroys what is still open, also a connection that never began its handshake', async () => {
    await service.open();
    service.hold = new Promise(() => {});
    const silent = connectTcp(service.listener.port, '127.0.0.1');
    await once(silent, 'connect');
    const call = outcomeOf(service.client());
    while (service.handled === 0) await new Promise((resolve) => setImmediate(resolve));
    const ended = once(
      silent.on('error', () => {}),
      'close',
    );
    await service.listener.destroy();
    await ended;
    expect((await call).code).not.toBe(status.OK);
  });

  test('rejects when its port is taken', async () => {
    await service.open();
    const second = listenSpiffe(new Server(), {
      identity: service.identity,
      authorize: matchAny(),
      host: '127.0.0.1',
      port: service.listener.port,
    });
    await expect(second).rejects.toThrow('EADDRINUSE');
  });
});

describe('with sources that follow an agent', () => {
  async function agent(id: string, issuer: WorkloadIssuer) {
    const path = join(mkdtempSync(join(tmpdir(), 'nh-grpc-')), 'agent.sock');
    const server = await WorkloadApiServer.listen({ issuer, path, ids: [id] });
    const source = await X509Source.open({ endpoint: server.endpoint });
    cleanups.push(
      () => server.close(),
      () => source.close(),
    );
    return source;
  }

  test('an open channel lives through rotations of both ends and new channels see the new SVIDs', async () => {
    const issuer = new WorkloadIssuer({ authority: service.authority, x509TtlSeconds: 60 });
    cleanups.push(() => issuer.close());
    const serverSource = await agent(SERVER_ID, issuer);
    const clientSource = await agent(CLIENT_ID, issuer);
    const { interceptor } = new SpiffeAuthInterceptor({
      bundles: { getJwtBundle: () => service.authority.jwtBundle() },
      audience: 'echo',
      methods: { '/test.Echo/Say': [CLIENT_ID] },
    });
    const shown: string[] = [];
    await service.open({ listen: { identity: serverSource }, interceptors: [interceptor] });
    const metadata = () => authorization(`Bearer ${service.tokenOf()}`);
    const open = service.client({ identity: clientSource });
    const call = async (client: Client) =>
      expect((await outcomeOf(client, { metadata: metadata() })).code).toBe(status.OK);
    await call(open);
    for (let round = 0; round < 3; round += 1) {
      const updated = [serverSource.waitForUpdate(), clientSource.waitForUpdate()];
      const busy = [call(open), call(open)];
      issuer.rotateX509();
      await Promise.all(updated);
      await Promise.all(busy);
      await call(open);
      const fresh = service.client({
        identity: clientSource,
        authorize: (id) => {
          shown.push(id.toString());
          return true;
        },
      });
      await call(fresh);
    }
    expect(open.getChannel().getConnectivityState(false)).toBe(connectivityState.READY);
    expect([serverSource.generation, clientSource.generation]).toEqual([4, 4]);
    expect(shown).toEqual([SERVER_ID, SERVER_ID, SERVER_ID]);
  });
});
