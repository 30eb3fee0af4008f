import { describe, expect, test } from 'vitest';
import { distinguishedName } from '../../encoding/certificate-names.ts';
import { der, derImplicit, derSequence, derSmallInteger } from '../../encoding/der-writer.ts';
import { basicConstraints, extension, keyUsage, subjectAltName } from '../../testing/certificate-extensions.ts';
import { CertificateAuthority, type X509SvidRequest } from '../../testing/index.ts';
import { verifyX509Svid } from '../svid/x509/verify.ts';

const ID = 'spiffe://prod.example.org/a';
const root = CertificateAuthority.create('prod.example.org');
const source = { getX509Bundle: () => root.bundle() };
const uri = (text: string): Uint8Array => derImplicit(6, Buffer.from(text));
const dns = (text: string): Uint8Array => derImplicit(2, Buffer.from(text));
const directory = der(0xa4, distinguishedName({ organization: 'SPIFFE' }));

function constraints({ permitted = [], excluded = [] }: { permitted?: Uint8Array[]; excluded?: Uint8Array[] }) {
  const subtrees = (tag: number, bases: readonly Uint8Array[]): Uint8Array[] =>
    bases.length === 0 ? [] : [der(tag, ...bases.map((base) => derSequence(base)))];
  return extension('2.5.29.30', derSequence(...subtrees(0xa0, permitted), ...subtrees(0xa1, excluded)), true);
}

function verifyUnder(constraint: Uint8Array, request: Partial<X509SvidRequest> = {}): string {
  const extensions = [basicConstraints(true), keyUsage(['keyCertSign']), constraint];
  const middle = root.issueIntermediate({ commonName: 'middle', ttlSeconds: 600, template: { extensions } });
  const { certificates } = middle.issueX509Svid({ id: ID, ttlSeconds: 60, ...request });
  return verifyX509Svid(certificates, source).id.toString();
}

const untrusted = (reason: RegExp) =>
  expect.objectContaining({ code: 'X509_SVID_UNTRUSTED', message: expect.stringMatching(reason) });

describe('name constraints of an authority', () => {
  test.each([
    ['X-12: its own host', { permitted: [uri('prod.example.org')] }],
    ['X-12: everything below a domain', { permitted: [uri('other.org'), uri('.example.org')] }],
    ['X-12: upper case in the constraint', { permitted: [uri('PROD.example.org')] }],
    ['X-12: an exclusion of others', { excluded: [uri('example.org'), uri('.prod.example.org')] }],
    ['X-12: names of a kind that the leaf does not have', { permitted: [dns('example.org')] }],
  ])('permit the ID by %s', (_name, given) => {
    expect(verifyUnder(constraints(given))).toBe(ID);
  });

  test.each([
    ['X-12: a constraint to another host refuses the ID', { permitted: [uri('example.org')] }, /does not permit/],
    [
      'X-12: a constraint below another domain refuses the ID',
      { permitted: [uri('.prod.example.org')] },
      /does not permit/,
    ],
    ['X-12: a host that only ends alike is not below', { permitted: [uri('.d.example.org')] }, /does not permit/],
    ['X-12: an excluded host refuses the ID', { excluded: [uri('prod.example.org')] }, /excludes/],
    [
      'X-12: an exclusion wins over a permission',
      { permitted: [uri('.example.org')], excluded: [uri('.example.org')] },
      /excludes/,
    ],
    ['X-12: a constraint of subjects is not ignored where there is one', { permitted: [directory] }, /not supported/],
  ])('%s', (_name, given, reason) => {
    expect(() => verifyUnder(constraints(given))).toThrow(untrusted(reason));
  });

  test('X-12: a constraint of DNS names is not ignored for a leaf that has some', () => {
    const given = constraints({ permitted: [dns('example.org'), uri('.example.org')] });
    expect(verifyUnder(given)).toBe(ID);
    expect(() => verifyUnder(given, { dnsNames: ['a.example.org'] })).toThrow(untrusted(/not supported/));
  });

  test.each([
    ['X-12: empty constraints are malformed', extension('2.5.29.30', derSequence(), true)],
    ['X-12: a URI as its own constraint is malformed', constraints({ excluded: [uri('spiffe://prod.example.org')] })],
    ['X-12: a constraint to an empty host is malformed', constraints({ excluded: [uri('')] })],
    ['X-12: a constraint with a port is malformed', constraints({ permitted: [uri('prod.example.org:443')] })],
    ['X-12: constraints without a subtree are malformed', extension('2.5.29.30', derSequence(der(0xa0)), true)],
    [
      'X-12: a distance is refused',
      extension('2.5.29.30', derSequence(der(0xa0, derSequence(uri('x'), derImplicit(0, derSmallInteger(1))))), true),
    ],
  ])('%s', (_name, given) => {
    expect(() => verifyUnder(given)).toThrow(expect.objectContaining({ code: 'CERTIFICATE_MALFORMED' }));
  });

  test('X-12: constraints of the anchor and of every issuer above count', () => {
    const extensions = [
      basicConstraints(true),
      keyUsage(['keyCertSign']),
      constraints({ permitted: [uri('else.org')] }),
    ];
    const anchor = root.issueIntermediate({ commonName: 'anchor', ttlSeconds: 600, template: { extensions } });
    const { certificates } = anchor.issueX509Svid({ id: ID, ttlSeconds: 60 });
    const [leaf = new Uint8Array(), own = new Uint8Array()] = certificates;
    const bundle = { trustDomain: root.trustDomain, authorities: [own] };
    expect(() => verifyX509Svid([leaf], { getX509Bundle: () => bundle })).toThrow(untrusted(/does not permit/));
  });

  test('X-12: a leaf with name constraints is refused', () => {
    const san = subjectAltName({ uris: [ID] }, false);
    const issue = (...more: Uint8Array[]) =>
      root.issueX509Svid({
        id: ID,
        ttlSeconds: 60,
        template: { extensions: [san, keyUsage(['digitalSignature']), ...more] },
      });
    expect(verifyX509Svid(issue().certificates, source).id.toString()).toBe(ID);
    const constrained = issue(constraints({ permitted: [uri('prod.example.org')] }));
    expect(() => verifyX509Svid(constrained.certificates, source)).toThrow(/without being an authority/);
  });
});
