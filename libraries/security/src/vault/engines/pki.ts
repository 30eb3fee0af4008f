import { Secret } from '../../common/index.ts';
import { VaultError } from '../errors.ts';
import type { EngineContext } from './context.ts';

export interface PkiRequest {
  readonly commonName: string;
  readonly uriSans?: readonly string[];
  readonly dnsSans?: readonly string[];
  readonly ipSans?: readonly string[];
  /** Default: the role's. */
  readonly ttlSeconds?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface IssuedCertificate {
  readonly certificatePem: string;
  readonly privateKeyPem: Secret<string>;
  /** The issuer first, the root last when the server sends it. */
  readonly caChainPem: readonly string[];
  readonly serialNumber: string;
  readonly expiresAtMs: number;
}

/** The PKI engine. */
export interface PkiEngine {
  issue(role: string, request: PkiRequest): Promise<IssuedCertificate>;
  /** The certificate of the default issuer. */
  ca(options?: { signal?: AbortSignal }): Promise<string>;
}

function text(data: Readonly<Record<string, unknown>>, field: string): string {
  const value = data[field];
  if (typeof value === 'string' && value !== '') return value;
  throw new VaultError('bad-response', `Issuing a certificate: the answer has no ${field}`);
}

export function pkiEngine({ call }: EngineContext, mount: string): PkiEngine {
  return {
    async issue(role, { commonName, uriSans, dnsSans, ipSans, ttlSeconds, signal }) {
      const { data } = await call({
        method: 'POST',
        path: `${mount}/issue/${role}`,
        body: {
          common_name: commonName,
          ...(uriSans && { uri_sans: uriSans.join(',') }),
          ...(dnsSans && { alt_names: dnsSans.join(',') }),
          ...(ipSans && { ip_sans: ipSans.join(',') }),
          ...(ttlSeconds !== undefined && { ttl: `${ttlSeconds}s` }),
        },
        operation: 'pki.issue',
        safe: false,
        signal,
      });
      const chain = Array.isArray(data.ca_chain) ? data.ca_chain.map(String) : [text(data, 'issuing_ca')];
      return {
        certificatePem: text(data, 'certificate'),
        privateKeyPem: new Secret(text(data, 'private_key')),
        caChainPem: chain,
        serialNumber: text(data, 'serial_number'),
        expiresAtMs: typeof data.expiration === 'number' ? data.expiration * 1_000 : Number.POSITIVE_INFINITY,
      };
    },

    async ca({ signal } = {}) {
      const { data } = await call({ method: 'GET', path: `${mount}/cert/ca`, operation: 'pki.ca', signal });
      return text(data, 'certificate');
    },
  };
}
