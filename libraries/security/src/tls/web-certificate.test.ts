import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { matchAny } from '../spiffe/index.ts';
import { CertificateAuthority, FixedIdentity } from '../testing/index.ts';
import { connectTls } from './connect.ts';
import { tlsServer } from './server.ts';
import { WebCertificate, type WebCertificatePem } from './web-certificate.ts';

const authority = CertificateAuthority.create('web.test');

function pem(): WebCertificatePem {
  const { certificateChainPem, privateKey } = authority.issueTlsCertificate({ dnsNames: ['web.test'], ttlSeconds: 60 });
  return { certificateChainPem, privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

test('a certificate is replaced, and one that does not fit its key is refused while the old one stays', () => {
  const first = pem();
  const next = pem();
  const certificate = new WebCertificate(first);
  const told: string[] = [];
  certificate.onUpdate(() => told.push(certificate.current.certificateChainPem));
  const mixed = { certificateChainPem: next.certificateChainPem, privateKeyPem: first.privateKeyPem };
  expect(() => certificate.replace(mixed)).toThrow(/mismatch/);
  expect(() => new WebCertificate(mixed)).toThrow(/mismatch/);
  expect(certificate.current.certificateChainPem).toBe(first.certificateChainPem);
  certificate.replace(next);
  expect(told).toEqual([next.certificateChainPem]);
});

test('nothing prints its key', () => {
  const certificate = new WebCertificate(pem());
  const printed = inspect(certificate, { depth: 9, showHidden: true }) + JSON.stringify(certificate.current);
  expect(printed).not.toContain('PRIVATE KEY');
});

test('roots that are none are refused, and so is an age that cannot be', async () => {
  const identity = FixedIdentity.issue(authority, 'spiffe://web.test/client');
  const target = { identity, host: '127.0.0.1', port: 1 };
  await expect(connectTls({ ...target, webPki: { ca: [] } })).rejects.toThrow(/webPki.ca/);
  expect(() => tlsServer({ identity, authorize: matchAny(), maxAgeMs: 0 })).toThrow(/maxAgeMs/);
});
