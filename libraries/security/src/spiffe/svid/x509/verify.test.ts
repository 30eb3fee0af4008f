import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { distinguishedName } from '../../../encoding/certificate-names.ts';
import { derSequence } from '../../../encoding/der-writer.ts';
import { parsePem } from '../../../encoding/index.ts';
import {
  basicConstraints,
  extendedKeyUsage,
  extension,
  keyUsage,
  subjectAltName,
} from '../../../testing/certificate-extensions.ts';
import { CertificateAuthority, type CertificateTemplate, type X509SvidRequest } from '../../../testing/index.ts';
import type { X509Bundle, X509BundleSource } from '../../bundle/x509/x509-bundle.ts';
import { SpiffeError } from '../../spiffe-error.ts';
import { verifyX509Svid } from './verify.ts';

const ID = 'spiffe://example.org/a';
const root = CertificateAuthority.create('example.org');
const foreign = CertificateAuthority.create('foreign.org');
const bundles = sourceOf(root.bundle(), foreign.bundle());
const code = (expected: string) => expect.objectContaining({ code: expected });

function sourceOf(...held: readonly X509Bundle[]): X509BundleSource {
  return { getX509Bundle: (domain) => held.find(({ trustDomain }) => trustDomain.equals(domain)) };
}

function issue(request: Partial<X509SvidRequest> = {}, authority = root): readonly Uint8Array[] {
  return authority.issueX509Svid({ id: ID, ttlSeconds: 60, ...request }).certificates;
}

const SAN = subjectAltName({ uris: [ID] }, false);
const USAGE = keyUsage(['digitalSignature']);
const withExtensions = (...extensions: Uint8Array[]): Partial<X509SvidRequest> => ({ template: { extensions } });

describe('verifyX509Svid', () => {
  test('W-08, ID-13: a leaf of the own trust domain and one of a federated one are accepted alike', () => {
    expect(verifyX509Svid(issue(), bundles).id.toString()).toBe(ID);
    const visitor = issue({ id: 'spiffe://foreign.org/b' }, foreign);
    expect(verifyX509Svid(visitor, bundles).id.trustDomain.name).toBe('foreign.org');
  });

  test.each([
    [
      'X-02: a leaf with further names of other kinds is accepted',
      { dnsNames: ['a.example.org', 'spiffe://not.an/id'] },
    ],
    ['X-11: a leaf with no extended key usage is accepted', withExtensions(SAN, USAGE)],
    [
      'X-08: a leaf with no basic constraints is accepted',
      withExtensions(SAN, USAGE, extendedKeyUsage(['serverAuth', 'clientAuth'])),
    ],
    [
      'X-04: a leaf with an empty subject is accepted',
      { template: { subject: derSequence(), extensions: [subjectAltName({ uris: [ID] }, true), USAGE] } },
    ],
    [
      'X-13: a leaf with an unknown extension that is not critical is accepted',
      withExtensions(SAN, USAGE, extension('1.2.3.4', derSequence())),
    ],
    ['a leaf with a life past 2049 is accepted', { ttlSeconds: 40 * 365 * 86_400 }],
    ['a leaf with an RSA key is accepted', { keyType: 'rsa-2048' }],
  ] as const)('%s', (_name, request) => {
    expect(verifyX509Svid(issue(request), bundles).id.toString()).toBe(ID);
  });

  test.each([
    [
      'X-01: a leaf with two URI names is refused',
      withExtensions(subjectAltName({ uris: [ID, 'https://example.org'] }, false), USAGE),
      'X509_SVID_INVALID',
    ],
    [
      'X-01: a leaf with the same URI name twice is refused',
      withExtensions(subjectAltName({ uris: [ID, ID] }, false), USAGE),
      'X509_SVID_INVALID',
    ],
    [
      'X-01: a leaf with no URI name is refused',
      withExtensions(subjectAltName({ dnsNames: [ID] }, false), USAGE),
      'X509_SVID_INVALID',
    ],
    [
      'X-01: a leaf with a URI inside a DNS name is refused',
      withExtensions(subjectAltName({ dnsNames: [`x, URI:${ID}`] }, false), USAGE),
      'X509_SVID_INVALID',
    ],
    [
      'X-01: a leaf with the ID in its subject only is refused',
      { template: { subject: distinguishedName({ commonName: ID }), extensions: [USAGE] } },
      'X509_SVID_INVALID',
    ],
    ['X-03: a leaf with an ID without a path is refused', { id: 'spiffe://example.org' }, 'X509_SVID_INVALID'],
    [
      'X-03: a leaf with an ID with a slash as its path is refused',
      { id: 'spiffe://example.org/' },
      'SPIFFE_ID_INVALID',
    ],
    ['X-14: a leaf with an ID of another scheme is refused', { id: 'https://example.org/a' }, 'SPIFFE_ID_INVALID'],
    ['a leaf with an upper-case trust domain is refused', { id: 'spiffe://EXAMPLE.org/a' }, 'TRUST_DOMAIN_INVALID'],
    ['a leaf with an ID with a relative path is refused', { id: 'spiffe://example.org/x/../a' }, 'SPIFFE_ID_INVALID'],
    ['a leaf with an oversized ID is refused', { id: `${ID}${'a'.repeat(2048)}` }, 'SPIFFE_ID_INVALID'],
    ['X-08: a leaf with cA is refused', withExtensions(SAN, USAGE, basicConstraints(true)), 'X509_SVID_INVALID'],
    [
      'X-09: a leaf with the right to sign certificates is refused',
      withExtensions(SAN, keyUsage(['digitalSignature', 'keyCertSign'])),
      'X509_SVID_INVALID',
    ],
    [
      'X-09: a leaf with the right to sign revocation lists is refused',
      withExtensions(SAN, keyUsage(['digitalSignature', 'cRLSign'])),
      'X509_SVID_INVALID',
    ],
    ['X-10: a leaf with no key usage is refused', withExtensions(SAN), 'X509_SVID_INVALID'],
    [
      'X-10: a leaf with a key usage that is not critical is refused',
      withExtensions(SAN, keyUsage(['digitalSignature'], false)),
      'X509_SVID_INVALID',
    ],
    [
      'X-10: a leaf with no digital signature is refused',
      withExtensions(SAN, keyUsage(['keyEncipherment'])),
      'X509_SVID_INVALID',
    ],
    ['X-10: a leaf with an empty key usage is refused', withExtensions(SAN, keyUsage([])), 'CERTIFICATE_MALFORMED'],
    [
      'X-11: a leaf with server authentication only is refused',
      withExtensions(SAN, USAGE, extendedKeyUsage(['serverAuth'])),
      'X509_SVID_INVALID',
    ],
    [
      'X-11: a leaf with client authentication only is refused',
      withExtensions(SAN, USAGE, extendedKeyUsage(['clientAuth'])),
      'X509_SVID_INVALID',
    ],
    [
      'X-13: a leaf with an unknown critical extension is refused',
      withExtensions(SAN, USAGE, extension('1.2.3.4', derSequence(), true)),
      'X509_SVID_INVALID',
    ],
    ['X-13: a leaf with an extension twice is refused', withExtensions(SAN, SAN, USAGE), 'CERTIFICATE_MALFORMED'],
    [
      'X-13: a leaf with basic constraints that do not parse is refused',
      withExtensions(SAN, USAGE, extension('2.5.29.19', Uint8Array.of(4, 0))),
      'CERTIFICATE_MALFORMED',
    ],
    ['a leaf with no extensions is refused', withExtensions(), 'X509_SVID_INVALID'],
    [
      'W-08: a leaf with a trust domain without a bundle is refused',
      { id: 'spiffe://unknown.org/a' },
      'BUNDLE_NOT_FOUND',
    ],
    [
      'ID-13: a leaf with a trust domain whose authority did not sign it is refused',
      { id: 'spiffe://foreign.org/a' },
      'X509_SVID_UNTRUSTED',
    ],
    [
      'X-13: a leaf with an end in the past is refused',
      { ttlSeconds: -10, notBeforeMs: Date.now() - 60_000 },
      'X509_SVID_EXPIRED',
    ],
    [
      'X-13: a leaf with a beginning in the future is refused',
      { notBeforeMs: Date.now() + 30_000 },
      'X509_SVID_NOT_YET_VALID',
    ],
  ] as const)('%s', (_name, request, expected) => {
    expect(verifyX509Svid(issue(), bundles).id.toString()).toBe(ID);
    expect(() => verifyX509Svid(issue(request as Partial<X509SvidRequest>), bundles)).toThrow(code(expected));
  });

  test('judges at the moment that it is told', () => {
    const chain = issue({ ttlSeconds: 60 });
    const { expiresAtMs } = verifyX509Svid(chain, bundles);
    expect(verifyX509Svid(chain, bundles, { nowMs: expiresAtMs }).id.toString()).toBe(ID);
    expect(() => verifyX509Svid(chain, bundles, { nowMs: expiresAtMs + 1 })).toThrow(code('X509_SVID_EXPIRED'));
  });

  test('X-07: an authority that shows its own certificate is refused', () => {
    expect(() => verifyX509Svid(root.bundle().authorities, bundles)).toThrow(code('X509_SVID_INVALID'));
    const middle = root.issueIntermediate({ commonName: 'middle', ttlSeconds: 60 });
    expect(() => verifyX509Svid(issue({}, middle).slice(1), bundles)).toThrow(code('X509_SVID_INVALID'));
  });

  test('ID-13, X-13: a changed bit anywhere in the leaf is refused', () => {
    const [leaf = new Uint8Array()] = issue();
    verifyX509Svid([leaf], bundles);
    fc.assert(
      fc.property(fc.nat(leaf.length * 8 - 1), (bit) => {
        const changed = Uint8Array.from(leaf);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(() => verifyX509Svid([changed], bundles)).toThrow(SpiffeError);
      }),
      { numRuns: 300 },
    );
  });

  test('refuses bytes that are no certificate, with a SpiffeError only', () => {
    expect(() => verifyX509Svid([], bundles)).toThrow(code('X509_SVID_INVALID'));
    const [leaf = new Uint8Array()] = issue();
    expect(() => verifyX509Svid([Buffer.concat([leaf, Uint8Array.of(0)])], bundles)).toThrow(
      code('CERTIFICATE_MALFORMED'),
    );
    expect(() => verifyX509Svid([leaf.subarray(0, -1)], bundles)).toThrow(code('CERTIFICATE_MALFORMED'));
    expect(() => verifyX509Svid([new Uint8Array(70_000)], bundles)).toThrow(code('CERTIFICATE_MALFORMED'));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => verifyX509Svid([bytes], bundles)).toThrow(SpiffeError);
      }),
    );
  });
});

describe('the path of verifyX509Svid', () => {
  const below = (template: Partial<CertificateTemplate>) =>
    root.issueIntermediate({ commonName: 'below', ttlSeconds: 600, template });
  const CA_USAGE = keyUsage(['keyCertSign']);

  test('X-13: the path leads through intermediates in any order, past certificates that do not belong to it', () => {
    const upper = root.issueIntermediate({ commonName: 'upper', ttlSeconds: 600, pathLength: 1 });
    const lower = upper.issueIntermediate({ commonName: 'lower', ttlSeconds: 600 });
    const [leaf = new Uint8Array(), ...middle] = issue({}, lower);
    const stray = foreign.bundle().authorities[0] ?? new Uint8Array();
    expect(verifyX509Svid([leaf, stray, ...middle.toReversed()], bundles).chain).toHaveLength(4);
    expect(() => verifyX509Svid([leaf], bundles)).toThrow(code('X509_SVID_UNTRUSTED'));
    expect(() => verifyX509Svid([leaf, ...middle.slice(1)], bundles)).toThrow(code('X509_SVID_UNTRUSTED'));
  });

  test('ID-13: an authority that the peer brings along is never used', () => {
    const imposter = CertificateAuthority.create('example.org', { commonName: 'example.org authority' });
    const chain = [...issue({}, imposter), ...imposter.bundle().authorities];
    expect(verifyX509Svid(chain, sourceOf(imposter.bundle())).id.toString()).toBe(ID);
    expect(() => verifyX509Svid(chain, bundles)).toThrow(code('X509_SVID_UNTRUSTED'));
  });

  test('W-08, ID-13: trust domains are kept apart, and a bundle under a wrong name counts for nothing', () => {
    const mixed = { getX509Bundle: () => foreign.bundle() };
    expect(() => verifyX509Svid(issue({}, foreign), mixed)).toThrow(code('BUNDLE_NOT_FOUND'));
  });

  test('X-17: any of several authorities of the bundle is taken, and none of an empty one', () => {
    const next = CertificateAuthority.create('example.org');
    const both = {
      trustDomain: root.trustDomain,
      authorities: [...next.bundle().authorities, ...root.bundle().authorities],
    };
    expect(verifyX509Svid(issue(), sourceOf(both)).id.toString()).toBe(ID);
    expect(verifyX509Svid(issue({}, next), sourceOf(both)).id.toString()).toBe(ID);
    const empty = { trustDomain: root.trustDomain, authorities: [] };
    expect(() => verifyX509Svid(issue(), sourceOf(empty))).toThrow(code('X509_SVID_UNTRUSTED'));
  });

  test('X-05, X-13: the path length of an authority is respected', () => {
    const short = root.issueIntermediate({ commonName: 'short', ttlSeconds: 600, pathLength: 0 });
    expect(verifyX509Svid(issue({}, short), bundles).chain).toHaveLength(3);
    const tooDeep = short.issueIntermediate({ commonName: 'deep', ttlSeconds: 600 });
    expect(() => verifyX509Svid(issue({}, tooDeep), bundles)).toThrow(/fewer intermediates/);
  });

  test.each([
    ['X-05: an intermediate that is no authority is refused', { extensions: [basicConstraints(false), CA_USAGE] }],
    ['X-05: an intermediate that has no basic constraints is refused', { extensions: [CA_USAGE] }],
    [
      'X-05: an intermediate that may not sign certificates is refused',
      { extensions: [basicConstraints(true), keyUsage(['digitalSignature', 'cRLSign'])] },
    ],
    ['X-05: an intermediate that has no key usage is refused', { extensions: [basicConstraints(true)] }],
    [
      'X-06, ID-14: an intermediate that has an ID with a path is refused',
      { extensions: [basicConstraints(true), CA_USAGE, SAN] },
    ],
    [
      'X-06, ID-14: an intermediate that has an ID of another trust domain is refused',
      { extensions: [basicConstraints(true), CA_USAGE, subjectAltName({ uris: ['spiffe://foreign.org'] }, false)] },
    ],
    [
      'X-13: an intermediate that has an unknown critical extension is refused',
      { extensions: [basicConstraints(true), CA_USAGE, extension('1.2.3.4', derSequence(), true)] },
    ],
    ['X-13: an intermediate that has expired is refused', { notAfterMs: Date.now() - 1000 }],
    ['X-13: an intermediate that is not valid yet is refused', { notBeforeMs: Date.now() + 60_000 }],
  ])('%s', (_name, template: Partial<CertificateTemplate>) => {
    expect(
      verifyX509Svid(issue({}, below({ extensions: [basicConstraints(true), CA_USAGE] })), bundles).chain,
    ).toHaveLength(3);
    expect(() => verifyX509Svid(issue({}, below(template)), bundles)).toThrow(code('X509_SVID_UNTRUSTED'));
  });

  test('X-07, X-09: a workload cannot issue for others', () => {
    const { certificates, privateKey } = root.issueX509Svid({ id: ID, ttlSeconds: 60 });
    const rogue = CertificateAuthority.import({
      ...root.export(),
      privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      chainPem: root.issueX509Svid({ id: ID, ttlSeconds: 60 }).certificateChainPem + root.rootPem,
    });
    const forged = issue({ id: 'spiffe://example.org/admin' }, rogue);
    expect(() => verifyX509Svid([forged[0] ?? new Uint8Array(), ...certificates], bundles)).toThrow(
      code('X509_SVID_UNTRUSTED'),
    );
  });

  test('gives up on certificates that issue each other instead of trying every order', () => {
    const name = distinguishedName({ commonName: 'loop' });
    const loops = Array.from({ length: 15 }, () =>
      root.issueIntermediate({ commonName: 'loop', ttlSeconds: 600, template: { issuer: name, subject: name } }),
    );
    const [leaf = new Uint8Array()] = issue({ template: { issuer: name } });
    const chain = [leaf, ...loops.map((loop) => parsePem(loop.certificatePem)[0]?.bytes ?? new Uint8Array())];
    expect(() => verifyX509Svid(chain, bundles)).toThrow(code('X509_SVID_UNTRUSTED'));
    expect(() => verifyX509Svid([...chain, leaf], bundles)).toThrow(code('X509_SVID_INVALID'));
  });
});

test('verifies what openssl issued', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nh-x509-'));
  try {
    const openssl = (...args: string[]): string =>
      execFileSync('openssl', args, { encoding: 'utf8', cwd: folder, stdio: 'pipe' });
    const p256 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    openssl('req', '-x509', ...p256, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/O=Upstream', '-days', '2');
    const leaf = openssl(
      ...[
        'req',
        '-x509',
        ...p256,
        '-keyout',
        'leaf.key',
        '-CA',
        'ca.pem',
        '-CAkey',
        'ca.key',
        '-subj',
        '/',
        '-days',
        '1',
      ],
      ...['-addext', `subjectAltName=critical,URI:${ID},DNS:a`, '-addext', 'keyUsage=critical,digitalSignature'],
      ...['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'extendedKeyUsage=serverAuth,clientAuth'],
    );
    const upstream = {
      trustDomain: root.trustDomain,
      authorities: [parsePem(readFileSync(join(folder, 'ca.pem'), 'utf8'))[0]?.bytes ?? new Uint8Array()],
    };
    const chain = parsePem(leaf).map(({ bytes }) => bytes);
    expect(verifyX509Svid(chain, sourceOf(upstream)).id.toString()).toBe(ID);
    expect(() => verifyX509Svid(chain, bundles)).toThrow(code('X509_SVID_UNTRUSTED'));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
