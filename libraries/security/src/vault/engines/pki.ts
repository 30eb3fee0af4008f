import { generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { Secret } from '../../common/index.ts';
import { createCertificateRequest } from '../../encoding/index.ts';
import { VaultError } from '../errors.ts';
import type { EngineContext } from './context.ts';

interface WithSignal {
  readonly signal?: AbortSignal | undefined;
}

export interface PkiRequest extends WithSignal {
  readonly commonName: string;
  readonly uriSans?: readonly string[];
  readonly dnsSans?: readonly string[];
  readonly ipSans?: readonly string[];
  /** Default: the role's. */
  readonly ttlSeconds?: number;
}

export interface SignedPkiCertificate {
  readonly certificatePem: string;
  /** The issuer first, the root last when the server sends it. */
  readonly caChainPem: readonly string[];
  readonly serialNumber: string;
  readonly expiresAtMs: number;
}

export interface IssuedCertificate extends SignedPkiCertificate {
  readonly privateKeyPem: Secret<string>;
}

export type PkiKeyType = 'ec-p256' | 'ec-p384' | 'rsa-2048' | 'rsa-3072';

/** The PKI engine. */
export interface PkiEngine {
  /** The server makes the key and sends it. Prefer `issueForOwnKey`, which keeps it here. */
  issue(role: string, request: PkiRequest): Promise<IssuedCertificate>;
  /** Makes a key here and has the server sign a request for it; the key does not leave the process. */
  issueForOwnKey(
    role: string,
    /** `keyType`: default `ec-p256`. The role must allow it. */
    request: PkiRequest & { readonly keyType?: PkiKeyType },
  ): Promise<IssuedCertificate>;
  /** Signs a request (PKCS#10, PEM). The role decides whether the names in it count or those given here. */
  sign(role: string, csrPem: string, request?: Partial<PkiRequest>): Promise<SignedPkiCertificate>;
  /** Revokes a certificate of this mount. Resolves also when it is revoked already. */
  revoke(serialNumber: string, options?: WithSignal): Promise<{ readonly revokedAtMs: number }>;
  /** A certificate of this mount; `revokedAtMs` is absent while it is good. */
  certificate(
    serialNumber: string,
    options?: WithSignal,
  ): Promise<{ readonly certificatePem: string; readonly revokedAtMs?: number }>;
  /** The certificate of the default issuer. */
  ca(options?: WithSignal): Promise<string>;
  /** The default issuer first, then those above it. */
  chain(options?: WithSignal): Promise<readonly string[]>;
  /** The certificate revocation list of the default issuer, as PEM. */
  crl(options?: WithSignal): Promise<string>;
}

type Json = Readonly<Record<string, unknown>>;

const newKeyPair = promisify(generateKeyPair);

async function privateKeyOf(type: PkiKeyType): Promise<KeyObject> {
  if (type === 'rsa-2048' || type === 'rsa-3072') {
    return (await newKeyPair('rsa', { modulusLength: Number(type.slice(4)) })).privateKey;
  }
  if (type !== 'ec-p256' && type !== 'ec-p384') throw new TypeError(`keyType: ${JSON.stringify(type)} is not known`);
  return (await newKeyPair('ec', { namedCurve: type === 'ec-p256' ? 'P-256' : 'P-384' })).privateKey;
}

function text(data: Json, field: string): string {
  const value = data[field];
  if (typeof value === 'string' && value !== '') return value;
  throw new VaultError('bad-response', `Asking for a certificate: the answer has no ${field}`);
}

function bodyOf({ commonName, uriSans, dnsSans, ipSans, ttlSeconds }: Partial<PkiRequest>): Record<string, unknown> {
  return {
    ...(commonName !== undefined && { common_name: commonName }),
    ...(uriSans && { uri_sans: uriSans.join(',') }),
    ...(dnsSans && { alt_names: dnsSans.join(',') }),
    ...(ipSans && { ip_sans: ipSans.join(',') }),
    ...(ttlSeconds !== undefined && { ttl: `${ttlSeconds}s` }),
  };
}

function signedOf(data: Json): SignedPkiCertificate {
  return {
    certificatePem: text(data, 'certificate'),
    caChainPem: Array.isArray(data.ca_chain) ? data.ca_chain.map(String) : [text(data, 'issuing_ca')],
    serialNumber: text(data, 'serial_number'),
    expiresAtMs: typeof data.expiration === 'number' ? data.expiration * 1_000 : Number.POSITIVE_INFINITY,
  };
}

function revokedAtMsOf({ revocation_time: seconds }: Json): number | undefined {
  return typeof seconds === 'number' && seconds > 0 ? seconds * 1_000 : undefined;
}

export function pkiEngine({ call }: EngineContext, mount: string): PkiEngine {
  /** A repeated request leaves one more certificate behind: only what surely did not run is repeated. */
  const ask = async (path: string, body: Json, operation: string, signal: AbortSignal | undefined): Promise<Json> =>
    (await call({ method: 'POST', path: `${mount}/${path}`, body, operation, safe: false, signal })).data;
  const published = async (name: string, operation: string, signal: AbortSignal | undefined): Promise<Json> =>
    (await call({ method: 'GET', path: `${mount}/cert/${name}`, operation, signal })).data;

  const sign: PkiEngine['sign'] = async (role, csrPem, request = {}) =>
    signedOf(await ask(`sign/${role}`, { ...bodyOf(request), csr: csrPem }, 'pki.sign', request.signal));

  return {
    async issue(role, request) {
      const data = await ask(`issue/${role}`, bodyOf(request), 'pki.issue', request.signal);
      return { ...signedOf(data), privateKeyPem: new Secret(text(data, 'private_key')) };
    },
    async issueForOwnKey(role, { keyType = 'ec-p256', ...request }) {
      const { commonName, uriSans = [], dnsSans = [], ipSans = [] } = request;
      const privateKey = await privateKeyOf(keyType);
      const names = { uris: uriSans, dnsNames: dnsSans, ipAddresses: ipSans };
      const signed = await sign(role, createCertificateRequest({ privateKey, commonName, ...names }), request);
      return {
        ...signed,
        privateKeyPem: new Secret(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
      };
    },
    sign,
    async revoke(serialNumber, { signal } = {}) {
      const body = { serial_number: serialNumber };
      const path = `${mount}/revoke`;
      const { data } = await call({ method: 'POST', path, body, operation: 'pki.revoke', safe: true, signal });
      const revokedAtMs = revokedAtMsOf(data);
      if (revokedAtMs === undefined) {
        throw new VaultError('bad-response', `POST ${path}: the answer has no time of revocation`);
      }
      return { revokedAtMs };
    },
    async certificate(serialNumber, { signal } = {}) {
      const data = await published(serialNumber, 'pki.certificate', signal);
      const revokedAtMs = revokedAtMsOf(data);
      const certificatePem = text(data, 'certificate');
      return revokedAtMs === undefined ? { certificatePem } : { certificatePem, revokedAtMs };
    },
    ca: async ({ signal } = {}) => text(await published('ca', 'pki.ca', signal), 'certificate'),
    async chain({ signal } = {}) {
      const pem = text(await published('ca_chain', 'pki.chain', signal), 'certificate');
      return pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
    },
    crl: async ({ signal } = {}) => text(await published('crl', 'pki.crl', signal), 'certificate'),
  };
}
