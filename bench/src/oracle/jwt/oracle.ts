import { createPublicKey } from 'node:crypto';
import { type JwtBundle, parseJwtBundle, SpiffeError, TrustDomain, verifyJwtSvid } from '@neural-hive/security/spiffe';
import fc from 'fast-check';
import { createLocalJWKSet, errors, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from 'jose';
import type { Oracle, Verdict } from '../compare.ts';
import { type JwtCase, makeJwtCase } from './case.ts';
import { anyChange } from './changes.ts';
import { algorithmsOf, HOME_KEYS, jwkSet, KEYS, type KeyName, NINE } from './keys.ts';
import { JWT_RULES } from './rules.ts';

const AUDIENCE = 'me';
const LEEWAY_SECONDS = 30;
/** A bundle that was parsed holds no small RSA key, but one that its owner made may: both sides get one. */
const PUBLISHED: Readonly<Record<string, readonly KeyName[]>> = {
  'example.org': [...HOME_KEYS, 'rsaSmall'],
  'foreign.org': ['foreign'],
};

function bundleOf(trustDomain: TrustDomain, names: readonly KeyName[]): JwtBundle {
  const text = JSON.stringify(
    jwkSet(
      names.filter((name) => name !== 'rsaSmall'),
      'jwt-svid',
    ),
  );
  const { keys } = parseJwtBundle(trustDomain, text);
  const small = { kid: KEYS.rsaSmall.kid, publicKey: createPublicKey(KEYS.rsaSmall.privateKey) };
  return { trustDomain, keys: names.includes('rsaSmall') ? [...keys, small] : keys };
}

const bundles = new Map(
  Object.entries(PUBLISHED).map(([name, keys]) => [name, bundleOf(TrustDomain.parse(name), keys)]),
);
const keySets = new Map(
  Object.entries(PUBLISHED).map(([name, keys]) => [name, createLocalJWKSet({ keys: [...jwkSet(keys, 'sig').keys] })]),
);

function ours({ token, nowMs, issuer }: JwtCase): Verdict {
  try {
    const expected = issuer === undefined ? {} : { issuer };
    const source = { getJwtBundle: ({ name }: TrustDomain) => bundles.get(name) };
    verifyJwtSvid(token, { bundles: source, audience: AUDIENCE, leewaySeconds: LEEWAY_SECONDS, nowMs, ...expected });
    return { accepted: true, why: '' };
  } catch (error) {
    if (!(error instanceof SpiffeError)) throw error;
    return { accepted: false, why: error.code };
  }
}

/** What jose is told is what `verifyJwtSvid` is told; that there are SPIFFE IDs it does not know. */
async function jose({ token, nowMs, issuer }: JwtCase): Promise<Verdict> {
  const options: JWTVerifyOptions = {
    algorithms: [...NINE],
    audience: AUDIENCE,
    clockTolerance: LEEWAY_SECONDS,
    requiredClaims: ['sub', 'exp'],
    currentDate: new Date(nowMs),
    ...(issuer === undefined ? {} : { issuer }),
  };
  try {
    await verifyWithAny(token, options);
    return { accepted: true, why: '' };
  } catch (error) {
    return { accepted: false, why: error instanceof errors.JOSEError ? error.code : String(error) };
  }
}

/** Where several keys fit, jose leaves trying them to its caller. */
async function verifyWithAny(token: string, options: JWTVerifyOptions): Promise<void> {
  try {
    await jwtVerify(token, keySetOf(token), options);
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    for await (const key of error) {
      try {
        await jwtVerify(token, key, options);
        return;
      } catch (inner) {
        const next = inner instanceof errors.JWSSignatureVerificationFailed || inner instanceof TypeError;
        if (!next) throw inner;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

/** The keys of the trust domain that the token claims; those of `example.org` for everything else. */
function keySetOf(token: string): JWTVerifyGetKey {
  const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
  const foreign = payload.includes('"sub":"spiffe://foreign.org/');
  const keys = keySets.get(foreign ? 'foreign.org' : 'example.org');
  if (keys === undefined) throw new TypeError('PUBLISHED must hold both trust domains');
  return keys;
}

export const jwtOracle: Oracle<JwtCase> = {
  name: 'jose',
  rules: JWT_RULES,
  ours,
  peer: jose,
  describe: ({ token, nowMs, changes }) => `${changes.join('; ')}; at ${nowMs}: ${token.slice(0, 600)}`,
};

const CHUNK = 500;
const keyAndAlgorithm = fc
  .constantFrom(...HOME_KEYS)
  .chain((key) => fc.constantFrom(...algorithmsOf(key)).map((algorithm) => ({ key, algorithm })));
const changes = fc.oneof(
  { arbitrary: fc.constant([]), weight: 1 },
  { arbitrary: fc.array(anyChange, { minLength: 1, maxLength: 1 }), weight: 6 },
  { arbitrary: fc.array(anyChange, { minLength: 2, maxLength: 3 }), weight: 3 },
);

/** The same seed makes the same tokens but for their keys and signatures. */
export function* jwtCases(cases: number, seed: number): Generator<JwtCase> {
  const recipe = fc.tuple(keyAndAlgorithm, changes);
  for (let done = 0; done < cases; done += CHUNK) {
    const numRuns = Math.min(CHUNK, cases - done);
    for (const [signing, list] of fc.sample(recipe, { numRuns, seed: seed + done })) {
      yield makeJwtCase({ ...signing, changes: list });
    }
  }
}
