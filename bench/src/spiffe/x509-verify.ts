import { createPublicKey, type KeyObject, verify, X509Certificate } from 'node:crypto';
import { DerReader } from '@neural-hive/security/encoding';
import { verifyX509Svid } from '@neural-hive/security/spiffe';
import { CertificateAuthority } from '@neural-hive/security/testing';
import { compareCpuTime, inTurn } from '../cpu-time.ts';
import { type Result, resultOf } from '../result.ts';
import { ID } from './tokens.ts';

const UNIT = 'µs of CPU per chain';
const CHAINS = 400;

/** Leaf and intermediate, verified up to an anchor that is held. */
export async function* x509VerifyResults(): AsyncGenerator<Result> {
  const root = CertificateAuthority.create('neural-hive.local');
  const bundle = root.bundle();
  const bundles = { getX509Bundle: () => bundle };
  const anchor = new X509Certificate(bundle.authorities[0] ?? fail()).publicKey;
  const below = () => root.issueIntermediate({ commonName: 'intermediate', ttlSeconds: 86_400 });
  const issue = (authority: CertificateAuthority) => authority.issueX509Svid({ id: ID, ttlSeconds: 3600 }).certificates;

  // More than are kept: each intermediate is new to the verifier.
  const fresh = Array.from({ length: CHAINS }, () => issue(below()));
  yield resultOf(
    'X509-SVID, intermediate not seen before / createPublicKey + 2 verify',
    UNIT,
    await compareCpuTime(inTurn(ours(fresh)), inTurn(bare(fresh, anchor)), { count: CHAINS }),
  );
  yield resultOf(
    'X509-SVID, intermediate not seen before / 2 X509Certificate + 2 verify',
    UNIT,
    await compareCpuTime(inTurn(ours(fresh)), inTurn(parsed(fresh, anchor)), { count: CHAINS }),
  );
  const authority = below();
  const known = Array.from({ length: CHAINS }, () => issue(authority));
  yield resultOf(
    'X509-SVID, intermediate known / 1 verify',
    UNIT,
    await compareCpuTime(inTurn(ours(known)), inTurn(leafOnly(known)), { count: CHAINS }),
  );

  function ours(chains: readonly Chain[]) {
    return (index: number) => verifyX509Svid(chains[index % chains.length] ?? fail(), bundles);
  }
}

type Chain = readonly Uint8Array[];

interface Signed {
  readonly tbs: Uint8Array;
  readonly signature: Uint8Array;
  readonly keyInfo: Buffer;
}

function bare(chains: readonly Chain[], anchor: KeyObject) {
  const prepared = chains.map((chain) => chain.map(takeApart));
  return (index: number): boolean => {
    const [leaf = fail(), intermediate = fail()] = prepared[index % prepared.length] ?? fail();
    const key = createPublicKey({ key: intermediate.keyInfo, format: 'der', type: 'spki' });
    const good = verify('sha256', intermediate.tbs, anchor, intermediate.signature);
    return (good && verify('sha256', leaf.tbs, key, leaf.signature)) || fail();
  };
}

function parsed(chains: readonly Chain[], anchor: KeyObject) {
  return (index: number): boolean => {
    const [leaf = fail(), intermediate = fail()] = chains[index % chains.length] ?? fail();
    const above = new X509Certificate(intermediate);
    return (above.verify(anchor) && new X509Certificate(leaf).verify(above.publicKey)) || fail();
  };
}

function leafOnly(chains: readonly Chain[]) {
  const prepared = chains.map(([leaf = fail(), intermediate = fail()]) => ({
    ...takeApart(leaf),
    key: new X509Certificate(intermediate).publicKey,
  }));
  const [{ key } = fail()] = prepared;
  return (index: number): boolean => {
    const { tbs, signature } = prepared[index % prepared.length] ?? fail();
    return verify('sha256', tbs, key, signature) || fail();
  };
}

function takeApart(der: Uint8Array): Signed {
  const whole = new DerReader(der).sequence('certificate');
  const tbs = whole.read('tbs').raw;
  whole.read('algorithm');
  const keyInfo = new X509Certificate(der).publicKey.export({ format: 'der', type: 'spki' });
  return { tbs, signature: whole.bitString('signature').bytes, keyInfo };
}

function fail(): never {
  throw new Error('A genuine chain was refused');
}
