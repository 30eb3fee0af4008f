import type { Socket } from 'node:net';
import { checkServerIdentity, type TLSSocket } from 'node:tls';
import { messageOf, systemClock } from '../common/index.ts';
import { peerChain, SpiffeError, type SpiffeId, type VerifiedX509Svid, verifyX509Svid } from '../spiffe/index.ts';
import { bundlesOf, type SvidRules } from './rules.ts';

/** On the socket itself, because HTTP/2 hands out stand-ins that pass on what they are asked for. */
const VERIFIED = Symbol('verified peer');
type Judged = Socket & { readonly [VERIFIED]?: VerifiedX509Svid };

/**
 * The verified ID of the other end; undefined when it showed no certificate or was never verified by this library. In a
 * handler: `request.socket` of HTTPS and HTTP/2, `stream.session.socket` of an HTTP/2 stream, while it is open.
 */
export function peerSpiffeId(socket: Socket): SpiffeId | undefined {
  return peerX509Svid(socket)?.id;
}

/** The verified X509-SVID of the other end, with its path to an authority. */
export function peerX509Svid(socket: Socket): VerifiedX509Svid | undefined {
  return (socket as Judged)[VERIFIED];
}

/**
 * Judges the other end by the certificate it showed in this very handshake. `socket.authorized` plays no part: after a
 * resumption it is true without any certificate.
 * @throws SpiffeError `TLS_SESSION_RESUMED`, `PEER_CERTIFICATE_MISSING`, `ID_NOT_AUTHORIZED` and the codes of
 * `verifyX509Svid`
 */
export function verifyPeer(socket: TLSSocket, rules: SvidRules): SpiffeId {
  const { authorize, clock = systemClock } = rules;
  assertFullHandshake(socket);
  const chain = peerChain(socket);
  if (chain.length === 0) throw new SpiffeError('PEER_CERTIFICATE_MISSING', 'The peer showed no certificate');
  const verified = verifyX509Svid(chain, bundlesOf(rules), { nowMs: clock.now() });
  if (authorize(verified.id) !== true) {
    throw new SpiffeError('ID_NOT_AUTHORIZED', `The peer ${verified.id} is not authorized for this connection`);
  }
  Object.defineProperty(socket, VERIFIED, { value: verified, configurable: true });
  return verified.id;
}

/**
 * Asserts that a server with a certificate of the web proved `name`. Node has judged the chain already; the name is
 * compared again because Node would compare another one, were it ever asked for.
 * @throws SpiffeError `TLS_SESSION_RESUMED`, `WEB_SERVER_REFUSED`
 */
export function verifyWebServer(socket: TLSSocket, name: string): void {
  assertFullHandshake(socket);
  if (!socket.authorized) throw webServerRefused(name, socket.authorizationError);
  const mismatch = checkServerIdentity(name, socket.getPeerCertificate());
  if (mismatch !== undefined) throw webServerRefused(name, mismatch);
}

export function webServerRefused(name: string, cause: unknown): SpiffeError {
  return new SpiffeError('WEB_SERVER_REFUSED', `The server at ${name} is refused: ${messageOf(cause)}`, { cause });
}

function assertFullHandshake(socket: TLSSocket): void {
  if (socket.isSessionReused()) {
    throw new SpiffeError('TLS_SESSION_RESUMED', 'The peer resumed a session, which shows no certificate');
  }
}
