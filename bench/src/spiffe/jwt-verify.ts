import { verify } from 'node:crypto';
import { JwtVerifier, verifyJwtSvid } from '@neural-hive/security/spiffe';
import type { JwtSignerAlgorithm } from '@neural-hive/security/testing';
import { jwtVerify } from 'jose';
import { compareCpuTime, concurrently, inTurn } from '../cpu-time.ts';
import { type Result, resultOf } from '../result.ts';
import { AUDIENCE, ISSUER, type TokenSet, tokenSet } from './tokens.ts';

const UNIT = 'µs of CPU per verification';

export async function* jwtVerifyResults(): AsyncGenerator<Result> {
  for (const algorithm of ['ES256', 'RS256'] as const) yield* resultsOf(algorithm, tokenSet(algorithm));
}

async function* resultsOf(algorithm: JwtSignerAlgorithm, set: TokenSet): AsyncGenerator<Result> {
  const { bundles, signer } = set;
  const options = { bundles, audience: AUDIENCE, issuer: ISSUER };
  const ours = (index: number) => verifyJwtSvid(set.at(index), options);
  const jose = (index: number) => jwtVerify(set.at(index), signer.publicKey, { audience: AUDIENCE, issuer: ISSUER });

  const bare = inTurn(bareVerification(set, algorithm));
  yield resultOf(
    `JWT-SVID ${algorithm} / node:crypto verify, bytes at hand`,
    UNIT,
    await compareCpuTime(inTurn(ours), bare),
  );
  const plain = inTurn(plainVerification(set, algorithm));
  yield resultOf(
    `JWT-SVID ${algorithm} / node:crypto verify + JSON.parse`,
    UNIT,
    await compareCpuTime(inTurn(ours), plain),
  );
  const serial = await compareCpuTime(inTurn(ours), concurrently(1, jose));
  yield resultOf(`JWT-SVID ${algorithm} / jose, one at a time`, UNIT, serial);
  const wide = await compareCpuTime(
    concurrently(32, async (index) => ours(index)),
    concurrently(32, jose),
  );
  yield resultOf(`JWT-SVID ${algorithm} / jose, 32 at a time`, UNIT, wide);
  const verifier = new JwtVerifier(options);
  const remembered = inTurn((index) => verifier.verify(set.at(index)));
  yield resultOf(
    `JWT-SVID ${algorithm} remembered / not remembered`,
    UNIT,
    await compareCpuTime(remembered, inTurn(ours)),
  );
}

/** Nothing but the one operation that no verifier can do without. */
function bareVerification({ tokens, signer }: TokenSet, algorithm: JwtSignerAlgorithm): (index: number) => boolean {
  const prepared = tokens.map((token) => {
    const end = token.lastIndexOf('.');
    return { signed: Buffer.from(token.slice(0, end)), signature: Buffer.from(token.slice(end + 1), 'base64url') };
  });
  const key = keyOf(signer.publicKey, algorithm);
  return (index) => {
    const { signed, signature } = prepared[index % prepared.length] ?? fail();
    return verify('sha256', signed, key, signature) || fail();
  };
}

/** The least that turns a token into claims: no rule is applied. */
function plainVerification(set: TokenSet, algorithm: JwtSignerAlgorithm): (index: number) => unknown {
  const key = keyOf(set.signer.publicKey, algorithm);
  return (index) => {
    const token = set.at(index);
    const [header = '', payload = '', signature = ''] = token.split('.');
    JSON.parse(Buffer.from(header, 'base64url').toString());
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const good = verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url'));
    return good ? claims : fail();
  };
}

function keyOf(key: TokenSet['signer']['publicKey'], algorithm: JwtSignerAlgorithm) {
  return algorithm === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' as const } : key;
}

function fail(): never {
  throw new Error('A genuine token was refused');
}
