import type { TLSSocket } from 'node:tls';
import { systemClock } from '../common/index.ts';
import { type VerifiedX509Svid, verifyX509Svid } from '../spiffe/index.ts';
import { peerX509Svid } from './peer.ts';
import { bundlesOf, type ClientRules, onBundlesUpdate, type SvidRules } from './rules.ts';

export interface TrustLoss {
  /**
   * What becomes of an open connection when the bundle of its peer loses the authority that the peer was verified with,
   * and no other verifies it: `keep`, the default, leaves it alone, `close` destroys it at once. Needs an identity or
   * bundles that tell of updates, as `X509Source` does.
   */
  readonly onTrustLost?: 'keep' | 'close';
}

/** Follows a connection whose peer was verified by its X509-SVID, until it closes. */
export function watchTrust(socket: TLSSocket, rules: ClientRules & TrustLoss): void {
  const peer = peerX509Svid(socket);
  if (rules.onTrustLost !== 'close' || peer === undefined || 'webPki' in rules) return;
  // Judged at the moment of the handshake: that the SVID has ended since is no news, its authority's end would be.
  const verifiedAtMs = (rules.clock ?? systemClock).now();
  const stop = onBundlesUpdate(rules, () => {
    if (!isTrusted(peer, rules, verifiedAtMs)) socket.destroy();
  });
  socket.once('close', stop);
}

function isTrusted(peer: VerifiedX509Svid, rules: SvidRules, nowMs: number): boolean {
  const bundles = bundlesOf(rules);
  try {
    const anchor = Buffer.from(peer.chain.at(-1) ?? []);
    // Most updates change nothing for most peers, and no signature is needed to see it.
    if (bundles.getX509Bundle(peer.id.trustDomain)?.authorities.some((one) => anchor.equals(one))) return true;
    verifyX509Svid(peer.chain.slice(0, -1), bundles, { nowMs });
    return true;
  } catch {
    return false;
  }
}
