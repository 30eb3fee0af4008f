/** A certificate with its key, as TLS needs it. Any source of X509-SVIDs gives such. */
export interface ClientCertificate {
  /** PEM, leaf first. */
  readonly certificateChainPem: string;
  /** PKCS#8 PEM. A method, so that nothing prints it by accident. */
  privateKeyPem(): string;
}

/** Who this process is, for TLS. `X509Source` and `FileSource` of `@neural-hive/security/spiffe` are such. */
export interface ClientIdentity {
  /** The certificate of this moment. Does no I/O; throws when there is none. */
  getX509Svid(): ClientCertificate;
  /** Calls back after a change; gives back a function that stops it. */
  onUpdate(listener: () => void): () => void;
}
