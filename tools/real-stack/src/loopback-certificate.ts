import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CertificateAuthority } from '@neural-hive/security/testing';

export interface LoopbackCertificate {
  readonly authority: CertificateAuthority;
  /** The authority's certificate, in PEM. */
  readonly ca: string;
  readonly caFile: string;
  /** The certificate with its chain, in PEM. */
  readonly certificate: string;
  readonly certificateFile: string;
  /** In PEM. */
  readonly key: string;
  readonly keyFile: string;
}

export interface LoopbackCertificateOptions {
  /** Name of the authority, for the reader of a certificate. */
  readonly name: string;
  /** Default a new one. */
  readonly authority?: CertificateAuthority;
  /** Before the names of the files. Default none. */
  readonly prefix?: string;
  /** Besides `localhost`. */
  readonly dnsNames?: readonly string[];
}

const DAY_SECONDS = 86_400;

/** Writes `ca.pem`, `tls.pem` and `tls-key.pem`: a server's certificate for the loopback address, which lasts a day. */
export function writeLoopbackCertificate(folder: string, options: LoopbackCertificateOptions): LoopbackCertificate {
  const { name, prefix = '', dnsNames = [], authority = CertificateAuthority.create(name) } = options;
  const { certificateChainPem, privateKey } = authority.issueTlsCertificate({
    ipAddresses: ['127.0.0.1'],
    dnsNames: ['localhost', ...dnsNames],
    ttlSeconds: DAY_SECONDS,
  });
  const ca = authority.certificatePem;
  const key = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const write = (file: string, content: string): string => {
    const path = join(folder, `${prefix}${file}`);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  };
  return {
    authority,
    ca,
    caFile: write('ca.pem', ca),
    certificate: certificateChainPem,
    certificateFile: write('tls.pem', certificateChainPem),
    key,
    keyFile: write('tls-key.pem', key),
  };
}
