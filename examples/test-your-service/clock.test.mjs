import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JwtVerifier } from '@neural-hive/security/spiffe';
import { CertificateAuthority, FakeClock, WorkloadIssuer } from '@neural-hive/security/testing';

const id = 'spiffe://example.org/web';
const clock = new FakeClock();
const authority = CertificateAuthority.create('example.org', { clock });

test('a token ends five minutes and the leeway later', async () => {
  const bundle = authority.jwtBundle();
  const verifier = new JwtVerifier({ bundles: { getJwtBundle: () => bundle }, audience: 'api', clock });
  const token = authority.issueJwtSvid({ id, audience: 'api', ttlSeconds: 300 });
  await clock.advance(329_000);
  assert.equal(verifier.verify(token).id.toString(), id);
  await clock.advance(1_000);
  assert.throws(() => verifier.verify(token), { code: 'JWT_EXPIRED' });
});

test('a certificate is replaced at half of its life', async () => {
  const issuer = new WorkloadIssuer({ authority, clock, x509TtlSeconds: 3600 });
  const { serialNumber } = issuer.x509Svid(id);
  await clock.advance(1_799_000);
  assert.equal(issuer.x509Svid(id).serialNumber, serialNumber);
  await clock.advance(1_000);
  assert.notEqual(issuer.x509Svid(id).serialNumber, serialNumber);
  issuer.close();
});
