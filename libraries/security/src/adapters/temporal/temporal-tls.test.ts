import { createPrivateKey, X509Certificate } from 'node:crypto';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { Secret } from '../../common/index.ts';
import { CertificateAuthority } from '../../testing/certificate-authority.ts';
import { x509SvidOf } from '../../testing/fixed-identity.ts';
import { temporalTls } from './index.ts';

const authority = CertificateAuthority.create('example.org');
const ID = 'spiffe://example.org/worker';

test('an X509-SVID becomes certificate and key, with what the server is judged by', () => {
  const svid = x509SvidOf(authority.issueX509Svid({ id: ID, ttlSeconds: 3600 }));
  const tls = temporalTls(svid, { serverCa: authority.certificatePem, serverName: 'temporal.example.org' });
  const { crt, key } = tls.clientCertPair;
  expect(new X509Certificate(crt).subjectAltName).toBe(`URI:${ID}`);
  expect(new X509Certificate(crt).checkPrivateKey(createPrivateKey(Buffer.from(key)))).toBe(true);
  expect(Buffer.from(tls.serverRootCACertificate ?? []).toString()).toBe(authority.certificatePem);
  expect(tls.serverNameOverride).toBe('temporal.example.org');
  expect(Object.keys(temporalTls(svid))).toEqual(['clientCertPair']);
});

test('a certificate of the PKI engine goes with the chain of its issuers', () => {
  const issued = authority.issueTlsCertificate({ dnsNames: ['worker.example.org'], ttlSeconds: 3600 });
  const privateKeyPem = issued.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const { clientCertPair } = temporalTls({
    certificatePem: issued.certificateChainPem,
    caChainPem: [authority.certificatePem],
    serialNumber: '01',
    expiresAtMs: 0,
    privateKeyPem: new Secret(privateKeyPem),
  });
  expect(
    Buffer.from(clientCertPair.crt)
      .toString()
      .match(/BEGIN CERTIFICATE/g),
  ).toHaveLength(2);
  expect(Buffer.from(clientCertPair.key).toString()).toBe(privateKeyPem);
});

test('the key is in nothing that prints or copies the options', () => {
  const tls = temporalTls(x509SvidOf(authority.issueX509Svid({ id: ID, ttlSeconds: 3600 })));
  const bytes = Buffer.from(tls.clientCertPair.key);
  expect(bytes.length).toBeGreaterThan(0);
  const shown = inspect(tls, { depth: 9, maxArrayLength: null }) + JSON.stringify({ ...tls.clientCertPair });
  expect(shown).not.toContain(bytes.toString('hex', 0, 20).replace(/(..)(?=.)/g, '$1 '));
  expect(Object.keys(tls.clientCertPair)).toEqual(['crt']);
});
