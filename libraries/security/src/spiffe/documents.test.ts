import { expect, test } from 'vitest';
import { CertificateAuthority, WitIssuer } from '../testing/index.ts';
import { parseCertificate } from './certificate/certificate.ts';
import * as experimental from './experimental/index.ts';
import * as spiffe from './index.ts';
import { SpiffeError } from './spiffe-error.ts';

const ID = 'spiffe://example.org/a';
const authority = CertificateAuthority.create('example.org');
const wits = new WitIssuer({ trustDomain: authority.trustDomain });
const x509 = authority.issueX509Svid({ id: ID, ttlSeconds: 60 }).certificates;
const jwt = authority.issueJwtSvid({ id: ID, audience: 'me', ttlSeconds: 60 });
const wit = wits.issue(ID).token;
const witBundle = experimental.parseWitBundle(authority.trustDomain, wits.jwks());

const judges = {
  x509: (document: string) => {
    const chain = document.split(' ').map((text) => Buffer.from(text, 'base64'));
    return spiffe.verifyX509Svid(chain, { getX509Bundle: () => authority.bundle() }).id.toString();
  },
  jwt: (document: string) =>
    spiffe
      .verifyJwtSvid(document, { audience: 'me', bundles: { getJwtBundle: () => authority.jwtBundle() } })
      .id.toString(),
  wit: (document: string) =>
    experimental
      .verifyWitSvid(document, { bundles: { getWitBundle: () => witBundle }, proof: () => true })
      .id.toString(),
};
const documents = {
  x509: x509.map((der) => Buffer.from(der).toString('base64')).join(' '),
  jwt,
  wit,
  'access token': authority.issueJwtSvid({ id: ID, audience: 'me', ttlSeconds: 60, header: { typ: 'at+jwt' } }),
  'public key':
    authority.jwtBundle().keys[0]?.publicKey.export({ type: 'spki', format: 'der' }).toString('base64') ?? '',
  'SSH certificate': 'AAAAKGVjZHNhLXNoYTItbmlzdHAyNTYtY2VydC12MDFAb3BlbnNzaC5jb20=',
  text: ID,
};

test('ID-15: there are verifiers of X.509, JWT and WIT documents, and of no other', () => {
  const verifiers = [...Object.keys(spiffe), ...Object.keys(experimental)].filter((name) => name.startsWith('verify'));
  expect(verifiers.sort()).toEqual(['verifyJwtSvid', 'verifyWitSvid', 'verifyX509Svid']);
});

test.each(Object.entries(judges))(
  'ID-15: a verifier takes its own kind of document and no other: %s',
  (kind, judge) => {
    expect(judge(documents[kind as keyof typeof judges])).toBe(ID);
    for (const [other, document] of Object.entries(documents)) {
      if (other !== kind) expect(() => judge(document), other).toThrow(SpiffeError);
    }
  },
);

test('X-05, X-10, ID-14: what the authority for tests signs is what the documents ask of publishers', () => {
  const [root = new Uint8Array()] = authority.bundle().authorities;
  const signing = parseCertificate(root);
  expect(signing).toMatchObject({ basicConstraints: { ca: true }, keyUsage: { critical: true, keyCertSign: true } });
  expect(signing.uriNames).toEqual(['spiffe://example.org']);
  const leaf = parseCertificate(x509[0] ?? new Uint8Array());
  expect(leaf.keyUsage).toEqual({ critical: true, digitalSignature: true, keyCertSign: false, cRLSign: false });
});

test('J-02: the authority for tests writes alg, kid and typ into a token and nothing else', () => {
  const [header = ''] = jwt.split('.');
  expect(Object.keys(JSON.parse(Buffer.from(header, 'base64url').toString())).sort()).toEqual(['alg', 'kid', 'typ']);
});
