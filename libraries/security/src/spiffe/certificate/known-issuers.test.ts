import { expect, test } from 'vitest';
import { CertificateAuthority } from '../../testing/index.ts';
import { SpiffeError } from '../spiffe-error.ts';
import { verifyX509Svid } from '../svid/x509/verify.ts';
import { parseIssuer } from './known-issuers.ts';

const root = CertificateAuthority.create('example.org');
const bundle = root.bundle();

/** A leaf and its intermediate, in bytes of their own. */
function chainOf(
  authority: CertificateAuthority,
  ttlSeconds = 600,
): [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>] {
  const below = authority.issueIntermediate({ commonName: 'below', ttlSeconds });
  const { certificates } = below.issueX509Svid({ id: 'spiffe://example.org/a', ttlSeconds: 3600 });
  const [leaf, intermediate] = certificates.map((der) => Uint8Array.from(der));
  if (leaf === undefined || intermediate === undefined) throw new TypeError('the chain must have two certificates');
  return [leaf, intermediate];
}

function codeOf(chain: readonly Uint8Array[], held = bundle, nowMs = Date.now()): string {
  try {
    verifyX509Svid(chain, { getX509Bundle: () => held }, { nowMs });
    return 'accepted';
  } catch (error) {
    if (!(error instanceof SpiffeError)) throw error;
    return error.code;
  }
}

test('an intermediate is known once it led to an anchor, and not before', () => {
  const chain = chainOf(root);
  const [, intermediate] = chain;
  expect(parseIssuer(intermediate)).not.toBe(parseIssuer(intermediate));
  expect(codeOf(chain)).toBe('accepted');
  expect(parseIssuer(intermediate)).toBe(parseIssuer(intermediate));
  const stranger = chainOf(CertificateAuthority.create('example.org'));
  expect(codeOf(stranger)).toBe('X509_SVID_UNTRUSTED');
  expect(parseIssuer(stranger[1])).not.toBe(parseIssuer(stranger[1]));
});

test('a known intermediate is still judged by time, bundle and the signature of each leaf', () => {
  const chain = chainOf(root, 60);
  const [leaf, intermediate] = chain;
  expect([codeOf(chain), codeOf(chain)]).toEqual(['accepted', 'accepted']);
  expect(codeOf(chain, bundle, Date.now() + 120_000)).toBe('X509_SVID_UNTRUSTED');
  const other = CertificateAuthority.create('example.org').bundle();
  expect([codeOf(chain, other), codeOf(chain)]).toEqual(['X509_SVID_UNTRUSTED', 'accepted']);
  const forged = leaf.slice();
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
  expect(['X509_SVID_UNTRUSTED', 'CERTIFICATE_MALFORMED']).toContain(codeOf([forged, intermediate]));
});

test('bytes that change after they were verified are not known', () => {
  const chain = chainOf(root);
  const [leaf, intermediate] = chain;
  const original = intermediate.slice();
  expect(codeOf(chain)).toBe('accepted');
  intermediate[intermediate.length - 1] = (intermediate.at(-1) ?? 0) ^ 1;
  expect(['X509_SVID_UNTRUSTED', 'CERTIFICATE_MALFORMED']).toContain(codeOf(chain));
  expect(codeOf([leaf, original])).toBe('accepted');
});
