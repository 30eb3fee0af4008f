import { createPublicKey } from 'node:crypto';
import { request } from 'node:https';
import { type Fields, isRecord } from '../../api/fields.ts';
import { invalid } from '../../fault.ts';
import { keysOfJwks, type VerificationKey } from '../signed-token.ts';

export interface JwtConfig {
  readonly boundIssuer: string;
  readonly defaultRole: string;
  readonly supportedAlgorithms: readonly string[];
  readonly publicKeys: readonly string[];
  readonly jwksUrl: string;
  readonly jwksCaPem: string;
  /** `{"provider": "spiffe"}`: the keys of the authority's own SPIFFE issuer, without a detour over the network. */
  readonly providerConfig: Readonly<Record<string, string>>;
}

const ONE_OF = "'jwt_validation_pubkeys', 'jwks_url', 'jwks_pairs', 'oidc_discovery_url', or 'provider_config'";
const FETCH_TIMEOUT_MS = 5_000;
const MAX_JWKS_BYTES = 1024 * 1024;

export async function readJwtConfig(fields: Fields): Promise<JwtConfig> {
  for (const name of ['oidc_discovery_url', 'jwks_pairs', 'oidc_client_id']) {
    const value = fields.get(name);
    if (value !== undefined && value !== null && value !== '') throw invalid(`"${name}" is not supported`);
  }
  const config: JwtConfig = {
    boundIssuer: fields.text('bound_issuer') ?? '',
    defaultRole: fields.text('default_role') ?? '',
    supportedAlgorithms: fields.list('jwt_supported_algs') ?? [],
    publicKeys: (fields.texts('jwt_validation_pubkeys') ?? []).map((pem) => pem.trim()),
    jwksUrl: fields.text('jwks_url') ?? '',
    jwksCaPem: fields.text('jwks_ca_pem') ?? '',
    providerConfig: fields.textRecord('provider_config') ?? {},
  };
  const { provider } = config.providerConfig;
  if (provider !== undefined && provider !== 'spiffe') throw invalid(`provider "${provider}" is not supported`);
  const given = [config.publicKeys.length > 0, config.jwksUrl !== '', provider !== undefined];
  if (given.filter(Boolean).length !== 1) throw invalid(`exactly one of ${ONE_OF} must be set`);
  for (const pem of config.publicKeys) parsePublicKey(pem);
  if (config.jwksUrl !== '') {
    await fetchKeys(config).catch((cause: unknown) => {
      throw Object.assign(invalid('error checking jwks URL'), { cause });
    });
  }
  return config;
}

export function describeJwtConfig(config: JwtConfig): Record<string, unknown> {
  return {
    bound_issuer: config.boundIssuer,
    default_role: config.defaultRole,
    jwks_ca_pem: config.jwksCaPem,
    jwks_url: config.jwksUrl,
    jwt_supported_algs: config.supportedAlgorithms,
    jwt_validation_pubkeys: config.publicKeys,
    namespace_in_state: true,
    oidc_client_id: '',
    oidc_discovery_ca_pem: '',
    oidc_discovery_url: '',
    oidc_response_mode: '',
    oidc_response_types: [],
    provider_config: config.providerConfig,
    status: 'valid',
  };
}

/** The keys in force now. */
export async function keysOf(config: JwtConfig, spiffeKeys: () => Uint8Array): Promise<VerificationKey[]> {
  if (config.publicKeys.length > 0)
    return config.publicKeys.map((pem) => ({ id: undefined, key: parsePublicKey(pem) }));
  if (config.jwksUrl !== '') return fetchKeys(config);
  return keysOfJwks(JSON.parse(Buffer.from(spiffeKeys()).toString('utf8')));
}

function parsePublicKey(pem: string): ReturnType<typeof createPublicKey> {
  try {
    return createPublicKey(pem);
  } catch {
    throw invalid('error parsing public key: not a PEM public key');
  }
}

/** Over TLS only: whoever can change the keys on their way can log in as anybody. */
async function fetchKeys({ jwksUrl, jwksCaPem }: JwtConfig): Promise<VerificationKey[]> {
  const url = new URL(jwksUrl);
  if (url.protocol !== 'https:') throw new Error('the JWK set must come by https');
  const body = await new Promise<string>((resolve, reject) => {
    const outgoing = request(
      url,
      { agent: false, timeout: FETCH_TIMEOUT_MS, ...(jwksCaPem === '' ? {} : { ca: jwksCaPem }) },
      (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > MAX_JWKS_BYTES) outgoing.destroy(new Error('the JWK set is too large'));
          else chunks.push(chunk);
        });
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode === 200) resolve(Buffer.concat(chunks).toString('utf8'));
          else reject(new Error(`the JWK set was answered with status ${response.statusCode}`));
        });
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error('the JWK set did not come in time')));
    outgoing.on('error', reject);
    outgoing.end();
  });
  const jwks: unknown = JSON.parse(body);
  if (!isRecord(jwks)) throw new Error('not a JWK set');
  return keysOfJwks(jwks);
}
