import type { X509Svid } from '../../spiffe/index.ts';
import type { IssuedCertificate } from '../../vault/index.ts';

/** The `tls` option of both connections. */
export interface TemporalTls {
  readonly serverRootCACertificate?: Uint8Array;
  readonly serverNameOverride?: string;
  readonly clientCertPair: { readonly crt: Uint8Array; readonly key: Uint8Array };
}

export interface TemporalTlsOptions {
  /** PEM of the authorities that may have issued the server's certificate. Default: those the driver trusts. */
  readonly serverCa?: string;
  /** The DNS name that the server must prove. Default: the host of the address. */
  readonly serverName?: string;
}

/** The identity of a client as the Temporal drivers take it: an X509-SVID, or a certificate of the PKI engine. */
export function temporalTls(
  identity: X509Svid | IssuedCertificate,
  { serverCa, serverName }: TemporalTlsOptions = {},
): TemporalTls {
  const crt = Buffer.from(chainOf(identity));
  // Not enumerable, so that whatever prints or copies the options does not print the key.
  const key = { get: (): Uint8Array => keyOf(identity) };
  return {
    clientCertPair: Object.defineProperties({ crt, key: Buffer.alloc(0) }, { key: { ...key, enumerable: false } }),
    ...(serverCa === undefined ? {} : { serverRootCACertificate: Buffer.from(serverCa) }),
    ...(serverName === undefined ? {} : { serverNameOverride: serverName }),
  };
}

function chainOf(identity: X509Svid | IssuedCertificate): string {
  if ('certificateChainPem' in identity) return identity.certificateChainPem;
  return [identity.certificatePem, ...identity.caChainPem].map((pem) => `${pem.trim()}\n`).join('');
}

function keyOf(identity: X509Svid | IssuedCertificate): Uint8Array {
  return Buffer.from('certificateChainPem' in identity ? identity.privateKeyPem() : identity.privateKeyPem.reveal());
}
