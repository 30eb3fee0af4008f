import type { Backend } from '../api/route.ts';

/** Where the documents are, apart from Vault's paths. */
export const OIDC_DISCOVERY_MOUNT = '/.well-known/';
export const OIDC_KEYS_MOUNT = '/keys/';

/** Those that SPIRE's authorities may sign with. */
const ALGORITHMS = ['RS256', 'ES256', 'ES384'];
const JSON_TYPE = 'application/json';

/**
 * OpenID Connect Discovery 1.0, section 4, for verifiers of JWT-SVIDs that know an issuer and not the Workload API. The issuer
 * is a name: `jwks_uri` leads to where the keys are.
 */
export function oidcDiscoveryBackend(options: { readonly issuer: string; readonly address: () => string }): Backend {
  const document = (): string =>
    JSON.stringify({
      issuer: options.issuer,
      jwks_uri: `${options.address()}/keys`,
      // Nobody logs in here; the member is required.
      authorization_endpoint: '',
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ALGORITHMS,
    });
  const read = () => ({ raw: { contentType: JSON_TYPE, body: document() } });
  return { routes: [{ path: 'openid-configuration', open: true, read }], save: () => undefined };
}

/** The keys that JWT-SVIDs are verified with, as they are at the moment. */
export function oidcKeysBackend(keys: () => Uint8Array): Backend {
  const read = () => ({ raw: { contentType: JSON_TYPE, body: Buffer.from(keys()) } });
  return { routes: [{ path: '', open: true, read }], save: () => undefined };
}
