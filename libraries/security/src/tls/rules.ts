import type { Clock } from '../common/index.ts';
import type { SpiffeIdMatcher, X509BundleSource, X509Svid } from '../spiffe/index.ts';
import type { X509Identity } from './identity.ts';

/** Mutual TLS: this end shows the identity's SVID and judges the other by the identity's bundles. */
export interface PeerRules {
  readonly identity: X509Identity;
  /** Which verified peers may go on. */
  readonly authorize: SpiffeIdMatcher;
  readonly clock?: Clock;
}

/** This end judges the other's X509-SVID and has none of its own. */
export interface BundleRules {
  /** Verifies the peer. Beside an `identity` it takes the place of the identity's bundles. */
  readonly bundles: X509BundleSource;
  /** Which verified peers may go on. */
  readonly authorize: SpiffeIdMatcher;
  readonly clock?: Clock;
}

/** This end shows the identity's SVID; the server proves a name of the web instead of a SPIFFE ID. */
export interface WebPkiRules {
  readonly identity: X509Identity;
  readonly webPki: WebPki;
  readonly clock?: Clock;
}

export interface WebPki {
  /** PEM of the roots that count; default those that Node trusts. */
  readonly ca?: string | readonly string[];
}

/** What a client shows and how it judges the server. */
export type ClientRules = PeerRules | BundleRules | WebPkiRules;

/** How the other end's X509-SVID is judged. */
export type SvidRules = PeerRules | BundleRules;

export function bundlesOf(rules: SvidRules): X509BundleSource {
  return 'bundles' in rules ? rules.bundles : rules.identity;
}

/** What this end shows; undefined when it has no identity. Throws once the identity is withdrawn. */
export function ownSvid(rules: ClientRules): X509Svid | undefined {
  return 'identity' in rules ? rules.identity.getX509Svid() : undefined;
}

/** Calls back after the bundles may have changed, when their source can tell; gives back what stops it. */
export function onBundlesUpdate(rules: SvidRules, listener: () => void): () => void {
  const source: Pick<X509Identity, 'onUpdate'> = bundlesOf(rules) as X509BundleSource & Pick<X509Identity, 'onUpdate'>;
  return source.onUpdate?.(listener) ?? (() => {});
}

/** The certificate that one end shows: an X509-SVID is one. */
export type ShownCertificate = Pick<X509Svid, 'certificateChainPem' | 'privateKeyPem'>;
