import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { encodePem } from '../encoding/index.ts';
import { matchId, parseX509Svid, verifyJwtSvid, verifyX509Svid } from '../spiffe/index.ts';
import { CertificateAuthority } from './certificate-authority.ts';

const folder = mkdtempSync(join(tmpdir(), 'nh-ca-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function openssl(...args: string[]): string {
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

describe('CertificateAuthority', () => {
  test.each(['ec-p256', 'ec-p384', 'rsa-2048'] as const)(
    'issues X509-SVIDs with an %s key that Node and openssl accept',
    (keyType) => {
      const authority = CertificateAuthority.create('example.org', { keyType });
      const { certificates, privateKey } = authority.issueX509Svid({ id: 'spiffe://example.org/a', ttlSeconds: 60 });
      const leaf = new X509Certificate(certificates[0] ?? new Uint8Array());
      const root = new X509Certificate(authority.rootPem);
      expect(leaf.verify(root.publicKey)).toBe(true);
      expect(leaf.checkIssued(root)).toBe(true);
      expect(leaf.checkPrivateKey(privateKey)).toBe(true);
      expect(leaf.subjectAltName).toBe('URI:spiffe://example.org/a');
      expect([root.ca, leaf.ca]).toEqual([true, false]);
      const [rootFile, leafFile] = [file('root.pem', authority.rootPem), file('leaf.pem', leaf.toString())];
      expect(openssl('verify', '-x509_strict', '-CAfile', rootFile, leafFile)).toContain('OK');
    },
  );

  test('issues through an intermediate authority', () => {
    const root = CertificateAuthority.create('example.org');
    const authority = root.issueIntermediate({ commonName: 'middle', ttlSeconds: 600 });
    const { certificates } = authority.issueX509Svid({ id: 'spiffe://example.org/a', ttlSeconds: 60 });
    expect(certificates).toHaveLength(2);
    expect(authority.bundle()).toEqual(root.bundle());
    const [leaf, middle] = certificates.map((der) => encodePem('CERTIFICATE', der));
    const files = [file('r.pem', root.rootPem), file('m.pem', middle ?? ''), file('l.pem', leaf ?? '')] as const;
    expect(openssl('verify', '-x509_strict', '-CAfile', files[0], '-untrusted', files[1], files[2])).toContain('OK');
    expect(
      matchId('spiffe://example.org/a')(verifyX509Svid(certificates, { getX509Bundle: () => root.bundle() }).id),
    ).toBe(true);
  });

  test('issues TLS certificates with DNS and IP names', () => {
    const authority = CertificateAuthority.create('example.org');
    const { certificates } = authority.issueTlsCertificate({
      dnsNames: ['localhost', 'vault.example.org'],
      ipAddresses: ['127.0.0.1', '::1', 'fe80::1:2', '::ffff:10.0.0.1'],
      ttlSeconds: 60,
    });
    const leaf = new X509Certificate(certificates[0] ?? new Uint8Array());
    expect(leaf.checkHost('vault.example.org')).toBe('vault.example.org');
    expect(leaf.checkHost('evil.example.org')).toBeUndefined();
    expect(leaf.subjectAltName).toBe(
      'DNS:localhost, DNS:vault.example.org, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, ' +
        'IP Address:FE80:0:0:0:0:0:1:2, IP Address:0:0:0:0:0:FFFF:A00:1',
    );
  });

  test.each([
    ['ec', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
    ['rsa', '-newkey', 'rsa:2048'],
  ] as const)('signs an openssl request for an %s key with the names that the caller grants', (_name, ...key) => {
    const names = 'subjectAltName=DNS:a.example.org,IP:10.0.0.1,URI:spiffe://example.org/a';
    const keyFile = join(folder, 'key.pem');
    const request = openssl('req', '-new', ...key, '-nodes', '-keyout', keyFile, '-subj', '/CN=a', '-addext', names);
    const authority = CertificateAuthority.create('example.org');
    const signed = authority.signRequest(request, (asked) => {
      expect(asked).toMatchObject({
        commonName: 'a',
        names: { dnsNames: ['a.example.org'], ipAddresses: ['10.0.0.1'], uris: ['spiffe://example.org/a'] },
      });
      return { commonName: 'granted', dnsNames: asked.names.dnsNames, ttlSeconds: 60 };
    });
    const leaf = new X509Certificate(signed.certificates[0] ?? new Uint8Array());
    expect([leaf.subject, leaf.subjectAltName]).toEqual(['CN=granted', 'DNS:a.example.org']);
    expect(leaf.serialNumber.toLowerCase()).toBe(signed.serialNumber);
    expect(Date.parse(leaf.validTo)).toBe(signed.notAfterMs);
    const broken = Buffer.from(request.split('\n').slice(1, -2).join(''), 'base64');
    broken[broken.length - 1] = (broken.at(-1) ?? 0) ^ 1;
    expect(() => authority.signRequest(broken, () => ({ ttlSeconds: 60 }))).toThrow();
  });

  test('signs a key that the caller holds', () => {
    const authority = CertificateAuthority.create('example.org');
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const { certificates } = authority.signPublicKey({ publicKey, dnsNames: ['a.example.org'], ttlSeconds: 60 });
    expect(new X509Certificate(certificates[0] ?? new Uint8Array()).publicKey.equals(publicKey)).toBe(true);
  });

  test('is the same authority after export and import', () => {
    const before = CertificateAuthority.create('example.org').issueIntermediate({ commonName: 'x', ttlSeconds: 600 });
    const token = before.issueJwtSvid({ id: 'spiffe://example.org/a', audience: 'me', ttlSeconds: 60 });
    before.rotateJwtKey();
    const after = CertificateAuthority.import(JSON.parse(JSON.stringify(before.export())));
    expect(after.export()).toEqual(before.export());
    const svid = after.issueX509Svid({ id: 'spiffe://example.org/a', ttlSeconds: 60 });
    expect(verifyX509Svid(svid.certificates, { getX509Bundle: () => before.bundle() }).id.path).toBe('/a');
    const parsed = parseX509Svid({
      certificates: Buffer.concat(svid.certificates),
      privateKey: svid.privateKey.export({ type: 'pkcs8', format: 'der' }),
    });
    expect(parsed.certificateChainPem).toBe(svid.certificateChainPem);
    expect(verifyJwtSvid(token, { bundles: { getJwtBundle: () => after.jwtBundle() }, audience: 'me' }).id.path).toBe(
      '/a',
    );
  });

  test.each(['ES256', 'RS256'] as const)('mints %s tokens with alg, kid and typ', (jwtAlgorithm) => {
    const authority = CertificateAuthority.create('example.org', { jwtAlgorithm });
    const token = authority.issueJwtSvid({ id: 'spiffe://example.org/a', audience: 'me', ttlSeconds: 60, issuer: 'i' });
    const [header, claims] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString());
    expect(JSON.parse(header ?? '')).toEqual({ alg: jwtAlgorithm, kid: expect.any(String), typ: 'JWT' });
    expect(JSON.parse(claims ?? '')).toMatchObject({ sub: 'spiffe://example.org/a', aud: ['me'], iss: 'i' });
    const bundles = { getJwtBundle: () => authority.jwtBundle() };
    expect(verifyJwtSvid(token, { bundles, audience: 'me', issuer: 'i' }).audience).toEqual(['me']);
  });
});
