import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { PKI_MOUNT, PKI_ROLE, SUBJECT } from '../vault-target.ts';
import { rejectsWith, type Topic } from './topic.ts';

/** The PKI engine. */
export const certificates: Topic = (test, vault) => {
  test('a certificate is issued for a SPIFFE ID', async () => {
    await using client = await vault().login('steady');
    const issued = await client.pki(PKI_MOUNT).issue(PKI_ROLE, {
      commonName: 'service.contract.test',
      uriSans: [SUBJECT],
      ttlSeconds: 300,
    });
    const certificate = new X509Certificate(issued.certificatePem);
    assert.equal(certificate.subjectAltName?.includes(`URI:${SUBJECT}`), true);
    const ca = new X509Certificate(await client.pki(PKI_MOUNT).ca());
    assert.ok(certificate.verify(ca.publicKey));
    assert.ok(certificate.checkPrivateKey(createPrivateKey(issued.privateKeyPem.reveal())));
  });

  test('a certificate is signed for a key that does not leave the process', async () => {
    await using client = await vault().login('steady');
    const pki = client.pki(PKI_MOUNT);
    const issued = await pki.issueForOwnKey(PKI_ROLE, {
      commonName: 'service.contract.test',
      dnsSans: ['other.contract.test'],
      uriSans: [SUBJECT],
      ttlSeconds: 300,
    });
    const certificate = new X509Certificate(issued.certificatePem);
    assert.ok(certificate.checkPrivateKey(createPrivateKey(issued.privateKeyPem.reveal())));
    for (const name of [`URI:${SUBJECT}`, 'DNS:other.contract.test']) {
      assert.ok(certificate.subjectAltName?.includes(name), name);
    }
    assert.ok(issued.expiresAtMs <= Date.now() + 301_000);
    await rejectsWith(pki.sign(PKI_ROLE, 'no request at all', { commonName: 'a.contract.test' }), 'invalid-request');
    const forbidden = pki.issueForOwnKey(PKI_ROLE, { commonName: 'service.elsewhere.test' });
    await rejectsWith(forbidden, 'invalid-request');
  });

  test('a certificate is found by its number, revoked, and stays so', async () => {
    const pki = vault().root.pki(PKI_MOUNT);
    const { serialNumber, certificatePem } = await pki.issueForOwnKey(PKI_ROLE, {
      commonName: 'revoked.contract.test',
      ttlSeconds: 300,
    });
    const before = await pki.certificate(serialNumber);
    assert.equal(before.certificatePem.trim(), certificatePem.trim());
    assert.equal(before.revokedAtMs, undefined);
    const { revokedAtMs } = await pki.revoke(serialNumber);
    assert.ok(Math.abs(revokedAtMs - Date.now()) < 60_000);
    assert.equal((await pki.certificate(serialNumber)).revokedAtMs, revokedAtMs);
    assert.deepEqual(await pki.revoke(serialNumber), { revokedAtMs });
    await rejectsWith(pki.certificate('00:01'), 'not-found');
  });

  test('the chain starts with the issuer', async () => {
    await using client = await vault().login('steady');
    const pki = client.pki(PKI_MOUNT);
    const [issuer] = await pki.chain();
    assert.equal(issuer?.trim(), (await pki.ca()).trim());
  });
};
