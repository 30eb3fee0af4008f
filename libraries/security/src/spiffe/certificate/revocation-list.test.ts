import { execFileSync } from 'node:child_process';
import { sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { distinguishedName } from '../../encoding/certificate-names.ts';
import {
  derBitString,
  derExplicit,
  derOid,
  derSequence,
  derSmallInteger,
  derTime,
  derUnsigned,
} from '../../encoding/der-writer.ts';
import { parsePem } from '../../encoding/index.ts';
import { extension } from '../../testing/certificate-extensions.ts';
import { CertificateAuthority } from '../../testing/index.ts';
import { SpiffeError } from '../spiffe-error.ts';
import { type RevocationPolicy, verifyX509Svid } from '../svid/x509/verify.ts';
import { parseCertificate } from './certificate.ts';
import { parseRevocationList } from './revocation-list.ts';

const ID = 'spiffe://example.org/a';
const NOW = Date.now();
const root = CertificateAuthority.create('example.org');
const source = { getX509Bundle: () => root.bundle() };
const issued = root.issueX509Svid({ id: ID, ttlSeconds: 600 });
const code = (expected: string) => expect.objectContaining({ code: expected });

interface ListRequest {
  readonly serials?: readonly string[];
  readonly nextUpdateMs?: number | undefined;
  readonly thisUpdateMs?: number;
  readonly extensions?: readonly Uint8Array[];
  readonly issuer?: Uint8Array;
}

/** A list that the authority signs. */
function listOf(authority: CertificateAuthority, request: ListRequest = {}): Uint8Array {
  const { serials = [], thisUpdateMs = NOW - 60_000, extensions = [] } = request;
  const nextUpdateMs = 'nextUpdateMs' in request ? request.nextUpdateMs : NOW + 60_000;
  const algorithm = derSequence(derOid('1.2.840.10045.4.3.2'));
  const own = parsePem(authority.certificatePem)[0]?.bytes ?? new Uint8Array();
  const entries = serials.map((serial) => derSequence(derUnsigned(Buffer.from(serial, 'hex')), derTime(NOW - 60_000)));
  const tbs = derSequence(
    derSmallInteger(1),
    algorithm,
    request.issuer ?? parseCertificate(own).subject,
    derTime(thisUpdateMs),
    ...(nextUpdateMs === undefined ? [] : [derTime(nextUpdateMs)]),
    ...(entries.length === 0 ? [] : [derSequence(...entries)]),
    ...(extensions.length === 0 ? [] : [derExplicit(0, derSequence(...extensions))]),
  );
  return derSequence(tbs, algorithm, derBitString(sign('sha256', tbs, authority.export().privateKeyPem)));
}

const verify = (revocation: RevocationPolicy, chain = issued.certificates) =>
  verifyX509Svid(chain, source, { revocation }).id.toString();

describe('revocation lists', () => {
  test('W-13, X-13: a current list of the issuer clears a leaf or revokes it', () => {
    const others = listOf(root, { serials: ['0102', '7f'], extensions: [extension('2.5.29.20', derSmallInteger(7))] });
    expect(verify({ lists: [others] })).toBe(ID);
    const revoking = listOf(root, { serials: ['0102', issued.serialNumber] });
    expect(() => verify({ lists: [others, revoking] })).toThrow(code('X509_SVID_REVOKED'));
    expect(() => verify({ lists: [revoking], whenUnknown: 'accept' })).toThrow(code('X509_SVID_REVOKED'));
    expect(verifyX509Svid(issued.certificates, source).id.toString()).toBe(ID);
  });

  test.each([
    ['there is none', []],
    ['it has expired', [listOf(root, { serials: [issued.serialNumber], nextUpdateMs: NOW - 1_000 })]],
    ['it is of the future', [listOf(root, { thisUpdateMs: NOW + 60_000 })]],
    ['it does not say when it ends', [listOf(root, { nextUpdateMs: undefined })]],
    ['it is a delta', [listOf(root, { extensions: [extension('2.5.29.27', derSmallInteger(1), true)] })]],
    ['it is of another issuer', [listOf(CertificateAuthority.create('example.org', { commonName: 'other' }))]],
    ['another key signed it', [listOf(CertificateAuthority.create('example.org'))]],
    ['it bears another name', [listOf(root, { issuer: distinguishedName({ commonName: 'x' }) })]],
  ])('do not count when %s: the status is unknown, which refuses unless told otherwise', (_name, lists) => {
    expect(() => verify({ lists })).toThrow(code('X509_SVID_STATUS_UNKNOWN'));
    expect(verify({ lists, whenUnknown: 'accept' })).toBe(ID);
  });

  test('are needed of every issuer on the path, and revoke intermediates', () => {
    const middle = root.issueIntermediate({ commonName: 'middle', ttlSeconds: 600 });
    const { certificates } = middle.issueX509Svid({ id: ID, ttlSeconds: 60 });
    const ofMiddle = listOf(middle);
    expect(verify({ lists: [ofMiddle, listOf(root)] }, certificates)).toBe(ID);
    expect(() => verify({ lists: [ofMiddle] }, certificates)).toThrow(code('X509_SVID_STATUS_UNKNOWN'));
    const serial = parseCertificate(certificates[1] ?? new Uint8Array()).serialNumber;
    const ofRoot = listOf(root, { serials: [serial] });
    expect(() => verify({ lists: [ofMiddle, ofRoot] }, certificates)).toThrow(code('X509_SVID_REVOKED'));
  });

  test('that are malformed are refused as such', () => {
    const good = listOf(root);
    expect(parseRevocationList(good).revoked.size).toBe(0);
    for (const bad of [new Uint8Array(), good.subarray(0, -1), Buffer.concat([good, Buffer.of(0)]), Buffer.alloc(9)]) {
      expect(() => verify({ lists: [bad] })).toThrow(code('REVOCATION_LIST_MALFORMED'));
    }
  });

  test('that were changed by a bit anywhere never clear a certificate, and throw nothing but SpiffeError', () => {
    const good = listOf(root, { serials: ['0102'], extensions: [extension('2.5.29.20', derSmallInteger(7))] });
    expect(verify({ lists: [good] })).toBe(ID);
    fc.assert(
      fc.property(fc.nat(good.length * 8 - 1), (bit) => {
        const changed = Uint8Array.from(good);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(() => verify({ lists: [changed] })).toThrow(SpiffeError);
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => verify({ lists: [bytes] })).toThrow(SpiffeError);
      }),
    );
  });

  test('of openssl are read', () => {
    const folder = mkdtempSync(join(tmpdir(), 'nh-crl-'));
    try {
      const own = root.certificatePem;
      writeFileSync(join(folder, 'ca.pem'), own);
      writeFileSync(join(folder, 'ca.key'), root.export().privateKeyPem);
      writeFileSync(join(folder, 'leaf.pem'), issued.certificateChainPem);
      writeFileSync(join(folder, 'index.txt'), '');
      writeFileSync(join(folder, 'number'), '01\n');
      const settings =
        '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=number\ndefault_md=sha256\ndefault_crl_days=1\n';
      writeFileSync(join(folder, 'ca.cnf'), settings);
      const openssl = (...args: string[]) =>
        execFileSync('openssl', ['ca', '-config', 'ca.cnf', '-cert', 'ca.pem', '-keyfile', 'ca.key', ...args], {
          cwd: folder,
          stdio: 'pipe',
        });
      const generate = (): Uint8Array => {
        openssl('-gencrl', '-out', 'crl.pem');
        return parsePem(readFileSync(join(folder, 'crl.pem'), 'utf8'))[0]?.bytes ?? new Uint8Array();
      };
      expect(verify({ lists: [generate()] })).toBe(ID);
      openssl('-revoke', 'leaf.pem');
      expect(() => verify({ lists: [generate()] })).toThrow(code('X509_SVID_REVOKED'));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
