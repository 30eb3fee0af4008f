import { parsePem } from '../../encoding/index.ts';
import type { JwtBundle } from '../bundle/jwt/jwt-bundle.ts';
import { parseJwtBundle } from '../bundle/jwt/parse.ts';
import { parseBundleMap } from '../bundle/spiffe/bundle-map.ts';
import { parsedAuthorities, type X509Bundle } from '../bundle/x509/x509-bundle.ts';
import { SpiffeError } from '../spiffe-error.ts';
import { SpiffeId } from '../spiffe-id.ts';
import type { JwtSvid } from '../svid/jwt/jwt-svid.ts';
import { parseJwtSvidInsecure } from '../svid/jwt/parse.ts';
import { parseX509SvidPem } from '../svid/x509/parse.ts';
import type { X509Svid } from '../svid/x509/x509-svid.ts';
import type { TrustDomain } from '../trust-domain.ts';
import { type FallbackText, readFallbackText } from './fallback-text.ts';

export interface FallbackSources {
  /** The identity that every SVID must have. Default: whatever they say, but all of them the same. */
  readonly id?: SpiffeId | string | undefined;
  /** PEM, leaf first, and its PKCS#8 key. */
  readonly x509?: { readonly certificates: FallbackText; readonly privateKey: FallbackText } | undefined;
  /** One JWT-SVID. */
  readonly jwt?: FallbackText | undefined;
  /** PEM of the authorities of the own trust domain. */
  readonly x509Bundle?: FallbackText | undefined;
  /** JWK set of the own trust domain. */
  readonly jwtBundle?: FallbackText | undefined;
  /** Bundles of any trust domains in the SPIFFE bundle map format; they count where the two above say nothing. */
  readonly bundleMap?: FallbackText | undefined;
}

/** What was read in one go. */
export interface FallbackMaterial {
  readonly x509: X509Svid | undefined;
  readonly jwt: JwtSvid | undefined;
  readonly x509Bundles: ReadonlyMap<string, X509Bundle>;
  readonly jwtBundles: ReadonlyMap<string, JwtBundle>;
  /** Equal texts give equal material. */
  readonly texts: readonly (string | undefined)[];
}

/**
 * Reads everything anew. What SVIDs say of themselves, audience, identity and expiry, is taken from them and nothing is
 * made up.
 * @throws SpiffeError `FALLBACK_INVALID` and the codes of what is malformed
 */
export async function readFallbackMaterial(sources: FallbackSources): Promise<FallbackMaterial> {
  const { x509, jwt, x509Bundle, jwtBundle, bundleMap } = sources;
  const texts = await Promise.all(
    [x509?.certificates, x509?.privateKey, jwt, x509Bundle, jwtBundle, bundleMap].map((source) =>
      source === undefined ? undefined : readFallbackText(source),
    ),
  );
  const [certificates, privateKey, token, authorities, jwks, map] = texts;
  const svid = certificates && privateKey ? parseX509SvidPem(certificates, privateKey) : undefined;
  const jwtSvid = token === undefined ? undefined : parseJwtSvidInsecure(token.trim());
  if (x509 !== undefined && svid === undefined) throw invalid('The X509-SVID or its key is empty');
  const trustDomain = ownIdentity(sources.id, svid, jwtSvid)?.trustDomain;
  const mapped = map === undefined ? new Map() : parseBundleMap(map);
  const x509Bundles = new Map<string, X509Bundle>([...mapped].map(([name, bundle]) => [name, bundle.x509]));
  const jwtBundles = new Map<string, JwtBundle>([...mapped].map(([name, bundle]) => [name, bundle.jwt]));
  if ((authorities ?? jwks) !== undefined && trustDomain === undefined) {
    throw invalid('A bundle has no trust domain: give an SVID or an identity');
  }
  if (trustDomain !== undefined && authorities !== undefined) {
    x509Bundles.set(trustDomain.name, readAuthorities(trustDomain, authorities));
  }
  if (trustDomain !== undefined && jwks !== undefined) {
    jwtBundles.set(trustDomain.name, parseJwtBundle(trustDomain, jwks));
  }
  return { x509: svid, jwt: jwtSvid, x509Bundles, jwtBundles, texts };
}

function ownIdentity(
  expected: SpiffeId | string | undefined,
  x509: X509Svid | undefined,
  jwt: JwtSvid | undefined,
): SpiffeId | undefined {
  const asked = typeof expected === 'string' ? SpiffeId.parse(expected) : expected;
  const [own, ...others] = [asked, x509?.id, jwt?.id].filter((id) => id !== undefined);
  const other = others.find((id) => own !== undefined && !id.equals(own));
  if (other !== undefined) throw invalid(`One SVID or setting is for ${own} and another for ${other}`);
  return own;
}

function readAuthorities(trustDomain: TrustDomain, pem: string): X509Bundle {
  const blocks = parsePem(pem);
  if (blocks.some(({ label }) => label !== 'CERTIFICATE')) throw invalid('A bundle holds more than certificates');
  const bundle = { trustDomain, authorities: blocks.map(({ bytes }) => bytes) };
  parsedAuthorities(bundle);
  return bundle;
}

function invalid(message: string): SpiffeError {
  return new SpiffeError('FALLBACK_INVALID', message);
}
