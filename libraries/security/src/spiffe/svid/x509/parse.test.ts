import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { CertificateAuthority } from '../../../testing/index.ts';
import { parseX509Bundle } from '../../bundle/x509/x509-bundle.ts';
import { parseX509Svid, parseX509SvidPem } from './parse.ts';

const ID = 'spiffe://example.org/a';
const root = CertificateAuthority.create('example.org');
const middle = root.issueIntermediate({ commonName: 'middle', ttlSeconds: 600 });
const issued = middle.issueX509Svid({ id: ID, ttlSeconds: 60 });
const certificates = Buffer.concat(issued.certificates);
const privateKey = issued.privateKey.export({ type: 'pkcs8', format: 'der' });
const keyPem = issued.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const code = (expected: string) => expect.objectContaining({ code: expected });

describe('parseX509Svid', () => {
  test('reads what the Workload API sends', () => {
    const svid = parseX509Svid({ certificates, privateKey, hint: 'internal' });
    expect(svid.id.toString()).toBe(ID);
    expect(svid.certificates).toHaveLength(2);
    expect([svid.issuedAtMs, svid.expiresAtMs]).toEqual([issued.notBeforeMs, issued.notAfterMs]);
    expect(svid.hint).toBe('internal');
    expect(svid.certificateChainPem).toBe(issued.certificateChainPem);
    expect(svid.privateKeyPem()).toBe(keyPem);
    expect(parseX509Svid({ certificates, privateKey, hint: '' })).not.toHaveProperty('hint');
  });

  test('never shows the private key', () => {
    const svid = parseX509Svid({ certificates, privateKey });
    const secret = keyPem.split('\n')[1] ?? 'missing';
    for (const text of [inspect(svid, { depth: 9, showHidden: true }), JSON.stringify(svid), `${svid}`]) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain('PRIVATE KEY');
    }
  });

  test('refuses a key that belongs to another certificate', () => {
    const other = middle.issueX509Svid({ id: ID, ttlSeconds: 60 }).privateKey.export({ type: 'pkcs8', format: 'der' });
    expect(() => parseX509Svid({ certificates, privateKey: other })).toThrow(code('X509_SVID_KEY_MISMATCH'));
  });

  test.each([
    ['no certificate', { certificates: new Uint8Array(), privateKey }, 'X509_SVID_INVALID'],
    ['a certificate that is cut', { certificates: certificates.subarray(0, -1), privateKey }, 'CERTIFICATE_MALFORMED'],
    ['no key', { certificates, privateKey: new Uint8Array() }, 'X509_SVID_INVALID'],
    ['a key that is cut', { certificates, privateKey: privateKey.subarray(0, -9) }, 'X509_SVID_INVALID'],
    [
      'a key that is not PKCS#8',
      { certificates, privateKey: issued.privateKey.export({ type: 'sec1', format: 'der' }) },
      'X509_SVID_INVALID',
    ],
    [
      'PEM where DER belongs',
      { certificates: Buffer.from(issued.certificateChainPem), privateKey },
      'CERTIFICATE_MALFORMED',
    ],
    [
      'X-07: an authority as its leaf',
      { certificates: Buffer.concat(issued.certificates.slice(1)), privateKey },
      'X509_SVID_INVALID',
    ],
    [
      'a long chain',
      { certificates: Buffer.concat(Array.from({ length: 17 }, () => certificates)), privateKey },
      'CERTIFICATE_MALFORMED',
    ],
  ])('refuses %s', (_name, parts, expected) => {
    expect(() => parseX509Svid(parts)).toThrow(code(expected));
  });

  test('reads PEM, and one PRIVATE KEY block only', () => {
    expect(parseX509SvidPem(issued.certificateChainPem, keyPem).id.toString()).toBe(ID);
    expect(() => parseX509SvidPem(issued.certificateChainPem, keyPem + keyPem)).toThrow(/exactly one/);
    expect(() => parseX509SvidPem(issued.certificateChainPem + keyPem, keyPem)).toThrow(/no certificate/);
    const sec1 = issued.privateKey.export({ type: 'sec1', format: 'pem' }).toString();
    expect(() => parseX509SvidPem(issued.certificateChainPem, sec1)).toThrow(/exactly one/);
  });
});

describe('parseX509Bundle', () => {
  test('reads concatenated authorities, also none', () => {
    const [der = new Uint8Array()] = root.bundle().authorities;
    expect(parseX509Bundle(root.trustDomain, Buffer.concat([der, der])).authorities).toEqual([der, der]);
    expect(parseX509Bundle(root.trustDomain, new Uint8Array()).authorities).toEqual([]);
    expect(() => parseX509Bundle(root.trustDomain, Buffer.concat([der, der.subarray(9)]))).toThrow(
      code('X509_BUNDLE_INVALID'),
    );
  });
});
