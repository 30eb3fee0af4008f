import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verifyJwtSvid, verifyX509Svid } from '@neural-hive/security/spiffe';
import { CertificateAuthority, keyUsage, subjectAltName } from '@neural-hive/security/testing';

const id = 'spiffe://example.org/web';
const authority = CertificateAuthority.create('example.org');
const bundles = { getX509Bundle: () => authority.bundle(), getJwtBundle: () => authority.jwtBundle() };

test('a certificate is accepted until it ends', () => {
  const { certificates, notAfterMs } = authority.issueX509Svid({ id, ttlSeconds: 60 });
  assert.equal(verifyX509Svid(certificates, bundles).id.toString(), id);
  const late = { nowMs: notAfterMs + 1 };
  assert.throws(() => verifyX509Svid(certificates, bundles, late), { code: 'X509_SVID_EXPIRED' });
});

test('a certificate with two names is refused', () => {
  const names = subjectAltName({ uris: [id, 'spiffe://example.org/admin'] }, false);
  const template = { extensions: [names, keyUsage(['digitalSignature'])] };
  const { certificates } = authority.issueX509Svid({ id, ttlSeconds: 60, template });
  assert.throws(() => verifyX509Svid(certificates, bundles), { code: 'X509_SVID_INVALID' });
});

test('a token is for one audience', () => {
  const token = authority.issueJwtSvid({ id, audience: 'api', ttlSeconds: 60 });
  assert.equal(verifyJwtSvid(token, { bundles, audience: 'api' }).id.toString(), id);
  assert.throws(() => verifyJwtSvid(token, { bundles, audience: 'billing' }), { code: 'JWT_AUDIENCE_REFUSED' });
});

test('a token without an end is refused', () => {
  const token = authority.issueJwtSvid({ id, audience: 'api', ttlSeconds: 60, claims: { exp: undefined } });
  assert.throws(() => verifyJwtSvid(token, { bundles, audience: 'api' }), { code: 'JWT_CLAIMS_INVALID' });
});
