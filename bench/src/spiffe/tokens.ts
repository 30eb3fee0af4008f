import { type JwtBundleSource, TrustDomain } from '@neural-hive/security/spiffe';
import { JwtSigner, type JwtSignerAlgorithm } from '@neural-hive/security/testing';

export const AUDIENCE = 'service-registry.neural-hive.local';
export const ISSUER = 'https://spire-oidc.neural-hive.local';
export const ID = 'spiffe://neural-hive.local/ns/neural-hive-execution/sa/worker-agents';

export interface TokenSet {
  readonly signer: JwtSigner;
  readonly bundles: JwtBundleSource;
  /** Different ones, as SPIRE writes them, valid for an hour. */
  readonly tokens: readonly string[];
  at(index: number): string;
}

export function tokenSet(algorithm: JwtSignerAlgorithm): TokenSet {
  const signer = JwtSigner.generate(algorithm);
  const trustDomain = TrustDomain.parse('neural-hive.local');
  const bundle = { trustDomain, keys: [{ kid: signer.kid, publicKey: signer.publicKey }] };
  const now = Math.floor(Date.now() / 1000);
  const tokens = Array.from({ length: 64 }, (_, index) =>
    signer.sign({ aud: [AUDIENCE], exp: now + 3600, iat: now - index, iss: ISSUER, sub: ID }),
  );
  const at = (index: number): string => tokens[index % tokens.length] ?? '';
  return { signer, bundles: { getJwtBundle: () => bundle }, tokens, at };
}
