import { SpiffeError, TrustDomain, verifyX509Svid } from '@neural-hive/security/spiffe';
import fc from 'fast-check';
import type { Oracle, Verdict } from '../compare.ts';
import { type BuiltCase, build, goodCase, type X509Case } from './case.ts';
import { anyChange } from './changes.ts';
import type { OpenSsl } from './openssl.ts';
import { X509_RULES } from './rules.ts';

const trustDomain = TrustDomain.parse('example.org');

/** Both sides get the very same bytes. */
const built = new WeakMap<X509Case, BuiltCase>();

function bytesOf(question: X509Case): BuiltCase {
  const found = built.get(question) ?? build(question);
  built.set(question, found);
  return found;
}

function ours(question: X509Case): Verdict {
  const { anchor, leaf, shown } = bytesOf(question);
  const bundles = { getX509Bundle: () => ({ trustDomain, authorities: [anchor] }) };
  try {
    verifyX509Svid([leaf, ...shown], bundles, { nowMs: question.atSeconds * 1000 });
    return { accepted: true, why: '' };
  } catch (error) {
    if (!(error instanceof SpiffeError)) throw error;
    return { accepted: false, why: `${error.code} (${error.message})` };
  }
}

/** @param openSsl Closed by the caller. */
export function x509Oracle(openSsl: OpenSsl): Oracle<X509Case> {
  return {
    name: 'openssl',
    rules: X509_RULES,
    ours,
    peer: (question) => openSsl.verify(bytesOf(question), question),
    describe: ({ changes, purpose, atSeconds }) => `${changes.join('; ')}; as ${purpose} at ${atSeconds}`,
  };
}

const CHUNK = 500;
const changes = fc.oneof(
  { arbitrary: fc.constant([]), weight: 1 },
  { arbitrary: fc.array(anyChange, { minLength: 1, maxLength: 1 }), weight: 6 },
  { arbitrary: fc.array(anyChange, { minLength: 2, maxLength: 3 }), weight: 3 },
);
const recipe = fc.tuple(fc.integer({ min: 0, max: 2 }), fc.constantFrom('sslserver', 'sslclient'), changes);

/** The same seed makes the same chains but for their keys, serial numbers and signatures. */
export function* x509Cases(cases: number, seed: number): Generator<X509Case> {
  for (let done = 0; done < cases; done += CHUNK) {
    const numRuns = Math.min(CHUNK, cases - done);
    for (const [intermediates, purpose, list] of fc.sample(recipe, { numRuns, seed: seed + done })) {
      const start = { ...goodCase(intermediates), purpose: purpose as X509Case['purpose'] };
      const changed = list.reduce((question, { apply }) => apply(question), start);
      yield { ...changed, changes: [...start.changes, ...list.map(({ name }) => name)] };
    }
  }
}
