import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type Clock, systemClock } from '../common/index.ts';
import {
  peerChain,
  SpiffeError,
  type SpiffeId,
  type SpiffeIdMatcher,
  type VerifiedX509Svid,
  verifyX509Svid,
} from '../spiffe/index.ts';
import type { X509Identity } from './identity.ts';

export interface PeerRules {
  readonly identity: X509Identity;
  /** Which verified peers may go on. */
  readonly authorize: SpiffeIdMatcher;
  readonly clock?: Clock;
}

const verifiedPeers = new WeakMap<Socket, VerifiedX509Svid>();

/** The verified ID of the other end; undefined when it showed no certificate or was never verified by this library. */
export function peerSpiffeId(socket: Socket): SpiffeId | undefined {
  return verifiedPeers.get(socket)?.id;
}

/** The verified X509-SVID of the other end, with its path to an authority. */
export function peerX509Svid(socket: Socket): VerifiedX509Svid | undefined {
  return verifiedPeers.get(socket);
}

/**
 * Judges the other end by the certificate it showed in this very handshake. `socket.authorized` plays no part: after a
 * resumption it is true without any certificate.
 * @throws SpiffeError `TLS_SESSION_RESUMED`, `PEER_CERTIFICATE_MISSING`, `ID_NOT_AUTHORIZED` and the codes of
 * `verifyX509Svid`
 */
export function verifyPeer(socket: TLSSocket, { identity, authorize, clock = systemClock }: PeerRules): SpiffeId {
  if (socket.isSessionReused()) {
    throw new SpiffeError('TLS_SESSION_RESUMED', 'The peer resumed a session, which shows no certificate');
  }
  const chain = peerChain(socket);
  if (chain.length === 0) throw new SpiffeError('PEER_CERTIFICATE_MISSING', 'The peer showed no certificate');
  const verified = verifyX509Svid(chain, identity, { nowMs: clock.now() });
  if (authorize(verified.id) !== true) {
    throw new SpiffeError('ID_NOT_AUTHORIZED', `The peer ${verified.id} is not authorized for this connection`);
  }
  verifiedPeers.set(socket, verified);
  return verified.id;
}
