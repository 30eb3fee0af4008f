import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parsePem } from '../../../encoding/index.ts';
import {
  basicConstraints,
  distinguishedName,
  extendedKeyUsage,
  extension,
  keyUsage,
  subjectAltName,
} from '../../../testing/certificate-extensions.ts';
import { derSequence } from '../../../testing/der-writer.ts';
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
  test('accepts a leaf of its own trust domain, and of a federated one', () => {
    expect(verifyX509Svid(issue(), bundles).id.toString()).toBe(ID);
    const visitor = issue({ id: 'spiffe://foreign.org/b' }, foreign);
    expect(verifyX509Svid(visitor, bundles).id.trustDomain.name).toBe('foreign.org');
  });

  test.each([
    ['further names of other kinds', { dnsNames: ['a.example.org', 'spiffe://not.an/id'] }],
    ['no extended key usage', withExtensions(SAN, USAGE)],
    ['no basic constraints', withExtensions(SAN, USAGE, extendedKeyUsage(['serverAuth', 'clientAuth']))],
    [
      'an empty subject',
      { template: { subject: derSequence(), extensions: [subjectAltName({ uris: [ID] }, true), USAGE] } },
    ],
    ['an unknown extension that is not critical', withExtensions(SAN, USAGE, extension('1.2.3.4', derSequence()))],
    ['a life past 2049', { ttlSeconds: 40 * 365 * 86_400 }],
    ['an RSA key', { keyType: 'rsa-2048' }],
  ] as const)('accepts a leaf with %s', (_name, request) => {
    expect(verifyX509Svid(issue(request), bundles).id.toString()).toBe(ID);
  });

  test.each([
    [
      'two URI names',
      withExtensions(subjectAltName({ uris: [ID, 'https://example.org'] }, false), USAGE),
      'X509_SVID_INVALID',
    ],
    ['the same URI name twice', withExtensions(subjectAltName({ uris: [ID, ID] }, false), USAGE), 'X509_SVID_INVALID'],
    ['no URI name', withExtensions(subjectAltName({ dnsNames: [ID] }, false), USAGE), 'X509_SVID_INVALID'],
    [
      'a URI inside a DNS name',
      withExtensions(subjectAltName({ dnsNames: [`x, URI:${ID}`] }, false), USAGE),
      'X509_SVID_INVALID',
    ],
    [
      'the ID in its subject only',
      { template: { subject: distinguishedName({ commonName: ID }), extensions: [USAGE] } },
      'X509_SVID_INVALID',
    ],
    ['an ID without a path', { id: 'spiffe://example.org' }, 'X509_SVID_INVALID'],
    ['an ID with a slash as its path', { id: 'spiffe://example.org/' }, 'SPIFFE_ID_INVALID'],
    ['an ID of another scheme', { id: 'https://example.org/a' }, 'SPIFFE_ID_INVALID'],
    ['an upper-case trust domain', { id: 'spiffe://EXAMPLE.org/a' }, 'TRUST_DOMAIN_INVALID'],
    ['an ID with a relative path', { id: 'spiffe://example.org/x/../a' }, 'SPIFFE_ID_INVALID'],
    ['an oversized ID', { id: `${ID}${'a'.repeat(2048)}` }, 'SPIFFE_ID_INVALID'],
    ['cA', withExtensions(SAN, USAGE, basicConstraints(true)), 'X509_SVID_INVALID'],
    [
      'the right to sign certificates',
      withExtensions(SAN, keyUsage(['digitalSignature', 'keyCertSign'])),
      'X509_SVID_INVALID',
    ],
    [
      'the right to sign revocation lists',
      withExtensions(SAN, keyUsage(['digitalSignature', 'cRLSign'])),
      'X509_SVID_INVALID',
    ],
    ['no key usage', withExtensions(SAN), 'X509_SVID_INVALID'],
    [
      'a key usage that is not critical',
      withExtensions(SAN, keyUsage(['digitalSignature'], false)),
      'X509_SVID_INVALID',
    ],
    ['no digital signature', withExtensions(SAN, keyUsage(['keyEncipherment'])), 'X509_SVID_INVALID'],
    ['an empty key usage', withExtensions(SAN, keyUsage([])), 'CERTIFICATE_MALFORMED'],
    ['server authentication only', withExtensions(SAN, USAGE, extendedKeyUsage(['serverAuth'])), 'X509_SVID_INVALID'],
    ['client authentication only', withExtensions(SAN, USAGE, extendedKeyUsage(['clientAuth'])), 'X509_SVID_INVALID'],
    [
      'an unknown critical extension',
      withExtensions(SAN, USAGE, extension('1.2.3.4', derSequence(), true)),
      'X509_SVID_INVALID',
    ],
    ['an extension twice', withExtensions(SAN, SAN, USAGE), 'CERTIFICATE_MALFORMED'],
    [
      'basic constraints that do not parse',
      withExtensions(SAN, USAGE, extension('2.5.29.19', Uint8Array.of(4, 0))),
      'CERTIFICATE_MALFORMED',
    ],
    ['no extensions', withExtensions(), 'X509_SVID_INVALID'],
    ['a trust domain without a bundle', { id: 'spiffe://unknown.org/a' }, 'BUNDLE_NOT_FOUND'],
    ['a trust domain whose authority did not sign it', { id: 'spiffe://foreign.org/a' }, 'X509_SVID_UNTRUSTED'],
    ['an end in the past', { ttlSeconds: -10, notBeforeMs: Date.now() - 60_000 }, 'X509_SVID_EXPIRED'],
    ['a beginning in the future', { notBeforeMs: Date.now() + 30_000 }, 'X509_SVID_NOT_YET_VALID'],
  ] as const)('refuses a leaf with %s', (_name, request, expected) => {
    expect(verifyX509Svid(issue(), bundles).id.toString()).toBe(ID);
    expect(() => verifyX509Svid(issue(request as Partial<X509SvidRequest>), bundles)).toThrow(code(expected));
  });

  test('judges at the moment that it is told', () => {
    const chain = issue({ ttlSeconds: 60 });
    const { expiresAtMs } = verifyX509Svid(chain, bundles);
    expect(verifyX509Svid(chain, bundles, { nowMs: expiresAtMs }).id.toString()).toBe(ID);
    expect(() => verifyX509Svid(chain, bundles, { nowMs: expiresAtMs + 1 })).toThrow(code('X509_SVID_EXPIRED'));
  });

  test('refuses an authority that shows its own certificate', () => {
    expect(() => verifyX509Svid(root.bundle().authorities, bundles)).toThrow(code('X509_SVID_INVALID'));
    const middle = root.issueIntermediate({ commonName: 'middle', ttlSeconds: 60 });
    expect(() => verifyX509Svid(issue({}, middle).slice(1), bundles)).toThrow(code('X509_SVID_INVALID'));
  });

  test('refuses a changed bit anywhere in the leaf', () => {
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

  test('leads through intermediates in any order, past certificates that do not belong to it', () => {
    const upper = root.issueIntermediate({ commonName: 'upper', ttlSeconds: 600, pathLength: 1 });
    const lower = upper.issueIntermediate({ commonName: 'lower', ttlSeconds: 600 });
    const [leaf = new Uint8Array(), ...middle] = issue({}, lower);
    const stray = foreign.bundle().authorities[0] ?? new Uint8Array();
    expect(verifyX509Svid([leaf, stray, ...middle.toReversed()], bundles).chain).toHaveLength(4);
    expect(() => verifyX509Svid([leaf], bundles)).toThrow(code('X509_SVID_UNTRUSTED'));
    expect(() => verifyX509Svid([leaf, ...middle.slice(1)], bundles)).toThrow(code('X509_SVID_UNTRUSTED'));
  });

  test('never uses an authority that the peer brings along', () => {
    const imposter = CertificateAuthority.create('example.org', { commonName: 'example.org authority' });
    const chain = [...issue({}, imposter), ...imposter.bundle().authorities];
    expect(verifyX509Svid(chain, sourceOf(imposter.bundle())).id.toString()).toBe(ID);
    expect(() => verifyX509Svid(chain, bundles)).toThrow(code('X509_SVID_UNTRUSTED'));
  });

  test('keeps trust domains apart: a bundle under a wrong name counts for nothing', () => {
    const mixed = { getX509Bundle: () => foreign.bundle() };
    expect(() => verifyX509Svid(issue({}, foreign), mixed)).toThrow(code('BUNDLE_NOT_FOUND'));
  });

  test('takes any of several authorities of the bundle, and none of an empty one', () => {
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

  test('respects the path length', () => {
    const short = root.issueIntermediate({ commonName: 'short', ttlSeconds: 600, pathLength: 0 });
    expect(verifyX509Svid(issue({}, short), bundles).chain).toHaveLength(3);
    const tooDeep = short.issueIntermediate({ commonName: 'deep', ttlSeconds: 600 });
    expect(() => verifyX509Svid(issue({}, tooDeep), bundles)).toThrow(/fewer intermediates/);
  });

  test.each([
    ['is no authority', { extensions: [basicConstraints(false), CA_USAGE] }],
    ['has no basic constraints', { extensions: [CA_USAGE] }],
    ['may not sign certificates', { extensions: [basicConstraints(true), keyUsage(['digitalSignature', 'cRLSign'])] }],
    ['has no key usage', { extensions: [basicConstraints(true)] }],
    ['has an ID with a path', { extensions: [basicConstraints(true), CA_USAGE, SAN] }],
    [
      'has an ID of another trust domain',
      { extensions: [basicConstraints(true), CA_USAGE, subjectAltName({ uris: ['spiffe://foreign.org'] }, false)] },
    ],
    [
      'has an unknown critical extension',
      { extensions: [basicConstraints(true), CA_USAGE, extension('1.2.3.4', derSequence(), true)] },
    ],
    [
      'has name constraints',
      { extensions: [basicConstraints(true), CA_USAGE, extension('2.5.29.30', derSequence(), true)] },
    ],
    ['has expired', { notAfterMs: Date.now() - 1000 }],
    ['is not valid yet', { notBeforeMs: Date.now() + 60_000 }],
  ])('refuses an intermediate that %s', (_name, template: Partial<CertificateTemplate>) => {
    expect(
      verifyX509Svid(issue({}, below({ extensions: [basicConstraints(true), CA_USAGE] })), bundles).chain,
    ).toHaveLength(3);
    expect(() => verifyX509Svid(issue({}, below(template)), bundles)).toThrow(code('X509_SVID_UNTRUSTED'));
  });

  test('does not let a workload issue for others', () => {
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
