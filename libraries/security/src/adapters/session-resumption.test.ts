import { once } from 'node:events';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { matchAny, type SpiffeId } from '../spiffe/index.ts';
import { CertificateAuthority, FixedIdentity } from '../testing/index.ts';
import { secureContextOptions } from '../tls/index.ts';
import { GRPC } from './testing/grpc-kind.ts';
import { HTTP2, HTTPS, listening, UNDICI } from './testing/http-kinds.ts';
import { TLS } from './testing/socket-kind.ts';
import type { TlsKind } from './testing/tls-kind.ts';

const KINDS = [TLS, HTTPS, HTTP2, UNDICI, GRPC];
const authority = CertificateAuthority.create('example.org');
const server = FixedIdentity.issue(authority, 'spiffe://example.org/server');
const client = FixedIdentity.issue(authority, 'spiffe://example.org/client');
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const protocols = ({ alpn }: TlsKind) => (alpn === '' ? {} : { ALPNProtocols: [alpn] });

/** A server that gives tickets and takes them; `resumed` has an entry for each connection. */
async function laxServer(kind: TlsKind) {
  const resumed: boolean[] = [];
  const lax = createServer(
    {
      ...secureContextOptions(server.getX509Svid()),
      ...protocols(kind),
      secureOptions: 0,
      requestCert: true,
      rejectUnauthorized: false,
    },
    (socket) => {
      resumed.push(socket.isSessionReused());
      // No answer to any question: the tickets arrive, then this, then the end.
      socket.on('error', () => undefined).end('no');
    },
  );
  cleanups.push(() => lax.close());
  return { port: await listening(lax), resumed };
}

/** A client of no scruples connects, keeps what ticket it gets, and connects again with it. */
async function resume(port: number, kind: TlsKind): Promise<boolean> {
  const options = {
    ...secureContextOptions(client.getX509Svid()),
    ...protocols(kind),
    host: '127.0.0.1',
    port,
    secureOptions: 0,
    rejectUnauthorized: false,
  };
  const open = async (session?: Buffer): Promise<TLSSocket> => {
    const socket = connect({ ...options, ...(session === undefined ? {} : { session }) });
    cleanups.push(() => socket.destroy());
    socket.on('error', () => undefined).on('session', (ticket) => tickets.push(ticket));
    await once(socket, 'secureConnect');
    return socket;
  };
  const tickets: Buffer[] = [];
  const first = await open();
  // Makes every kind of server say something. Tickets have been read by the time the connection is closed.
  first.once('data', () => first.end()).write('x\r\n\r\n');
  if (!first.closed) await once(first, 'close');
  return (await open(tickets.at(-1) ?? first.getSession())).isSessionReused();
}

describe.each(KINDS)('a session is not resumed with $name', (kind) => {
  test('by a client of the library, where a server would have it', async () => {
    expect(await resume((await laxServer(kind)).port, kind)).toBe(true);
    const { port, resumed } = await laxServer(kind);
    const judged: string[] = [];
    const authorize = (id: SpiffeId) => judged.push(id.toString()) > 0;
    const caller = kind.caller({ identity: client, authorize, host: '127.0.0.1', port });
    cleanups.push(() => caller.close());
    // The server ends every connection, so each question needs a new one: a client would keep the session for it.
    while (judged.length < 3) await caller.ask().catch(() => undefined);
    await vi.waitFor(() => expect(resumed.length).toBeGreaterThanOrEqual(3), { timeout: 20_000 });
    expect(resumed).not.toContain(true);
  });

  test('by a server of the library, where a client would have it', async () => {
    const serving = await kind.serve({ identity: server, authorize: matchAny() });
    cleanups.push(() => serving.close());
    const { port } = await laxServer(kind);
    expect(await resume(port, kind)).toBe(true);
    expect(await resume(serving.port, kind)).toBe(false);
  });
});
