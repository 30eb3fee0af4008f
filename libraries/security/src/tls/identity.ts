import { firstX509BundleSource, type X509BundleSource, type X509SvidSource } from '../spiffe/index.ts';

/** Who this process is and whom it can verify. `X509Source` is one. */
export interface X509Identity extends X509SvidSource, X509BundleSource {
  /** Calls back after the SVID or a bundle changed; gives back a function that stops it. */
  onUpdate?(listener: () => void): () => void;
}

/**
 * The same identity, which can also verify peers of the trust domains that `bundles` knows, such as a `Federation`. Of a
 * trust domain that both know, the bundle of the identity counts alone.
 */
export function withBundles(
  identity: X509Identity,
  bundles: X509BundleSource & Pick<X509Identity, 'onUpdate'>,
): X509Identity {
  return {
    getX509Svid: () => identity.getX509Svid(),
    ...firstX509BundleSource(identity, bundles),
    onUpdate(listener) {
      const stops = [identity, bundles].map((source) => source.onUpdate?.(listener));
      return () => {
        for (const stop of stops) stop?.();
      };
    },
  };
}
