import type { X509Svid, X509SvidSource } from '../spiffe/index.ts';
import type { CredentialProvider, Issued } from './credential.ts';

/** Where the SVID of this process comes from. `X509Source` is one. */
export interface SvidIdentity extends X509SvidSource {
  /** Calls back after the SVID changed; gives back a function that stops it. */
  onUpdate(listener: () => void): () => void;
}

/**
 * The X509-SVID of this process as a credential, for consumers that must open connections anew when it changes. The agent
 * decides when that is; the source stays the caller's, and an SVID ends by itself.
 */
export function svidCredential(identity: SvidIdentity): CredentialProvider<X509Svid> {
  return {
    name: 'x509-svid',
    async obtain({ signal }): Promise<Issued<X509Svid>> {
      signal.throwIfAborted();
      const svid = identity.getX509Svid();
      return {
        value: svid,
        issuedAtMs: svid.issuedAtMs,
        expiresAtMs: svid.expiresAtMs,
        revoke: () => Promise.resolve(),
        onSuperseded(listener) {
          let over = false;
          const look = (): void => {
            if (over || isHeld(identity, svid)) return;
            over = true;
            listener('changed');
          };
          const stop = identity.onUpdate(look);
          // It may have changed before anybody listened.
          queueMicrotask(look);
          return () => {
            over = true;
            stop();
          };
        },
      };
    },
  };
}

/** One that was withdrawn is held on to: there is nothing to put in its place. */
function isHeld(identity: SvidIdentity, svid: X509Svid): boolean {
  try {
    return identity.getX509Svid() === svid;
  } catch {
    return true;
  }
}
