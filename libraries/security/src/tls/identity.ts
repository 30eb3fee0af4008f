import type { X509BundleSource, X509SvidSource } from '../spiffe/index.ts';

/** Who this process is and whom it can verify. `X509Source` is one. */
export interface X509Identity extends X509SvidSource, X509BundleSource {
  /** Calls back after the SVID or a bundle changed; gives back a function that stops it. */
  onUpdate?(listener: () => void): () => void;
}
