import { createPrivateKey, X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CertificateAuthority } from '../testing/certificate-authority.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { answerLookup, FaultVault, reply } from '../testing/fault-vault.ts';
import { tokenAuth, VaultClient } from '../vault/index.ts';
import { pkiCertificate } from './pki-certificate.ts';
import { RotatingCredential } from './rotating-credential.ts';

const authority = CertificateAuthority.create('example.org');
let server: FaultVault;
let client: VaultClient;
let clock: FakeClock;
let issued: number;

function certificate() {
  issued += 1;
  return authority.issueTlsCertificate({ dnsNames: ['a.example.org'], ttlSeconds: 600 });
}

/** What the engine answers: a certificate for the key of a request, or one with a key of its own making. */
function answerOf(path: string, body: Readonly<Record<string, unknown>>) {
  const shared = {
    ca_chain: [authority.certificatePem],
    expiration: Math.floor(Date.now() / 1_000) + 600,
  };
  if (!path.includes('/sign/')) {
    const { certificateChainPem, privateKey } = certificate();
    const private_key = privateKey.export({ type: 'pkcs8', format: 'pem' });
    return { ...shared, certificate: certificateChainPem, private_key, serial_number: `s${issued}` };
  }
  issued += 1;
  const names = { dnsNames: ['a.example.org'], ttlSeconds: 600 };
  const { certificateChainPem } = authority.signRequest(String(body.csr), () => names);
  return { ...shared, certificate: certificateChainPem, serial_number: `s${issued}` };
}

beforeEach(async () => {
  issued = 0;
  clock = new FakeClock(Date.now());
  server = await FaultVault.listen();
  server.handler = ({ path, body }, response) => {
    if (path.endsWith('lookup-self')) return answerLookup(response);
    if (path.endsWith('/revoke')) return reply(response, 200, { data: { revocation_time: 1 } });
    reply(response, 200, { data: answerOf(path, body) });
  };
  const auth = tokenAuth({ token: 'hvs.a' });
  client = await VaultClient.open({ address: server.address, ca: server.caPem, auth, maxRetries: 0 });
});
afterEach(async () => {
  await client.destroy();
  await server.close();
});

test('a certificate is issued anew at a drawn point of its life, and the old one is not revoked', async () => {
  const options = {
    commonName: 'a.example.org',
    dnsSans: ['a.example.org'],
    ttlSeconds: 600,
    clock,
    random: () => 0.5,
  };
  const provider = pkiCertificate(client, 'web', options);
  const credential = await RotatingCredential.open({ provider, clock });
  const { issuedAtMs, expiresAtMs } = credential.current();
  expect(expiresAtMs - issuedAtMs).toBeGreaterThan(500_000);
  const rotated = new Promise<string>((resolve) => credential.onRotation(({ reason }) => resolve(reason)));
  await clock.advance(200_000);
  expect(issued).toBe(1);
  await clock.advance(100_000);
  expect(await rotated).toBe('due');
  expect(issued).toBe(2);
  expect(credential.current().value.serialNumber).toBe('s2');
  await credential.close();
  expect(server.to('/v1/pki/revoke')).toEqual([]);
  expect(server.to('/v1/pki/sign/web')[0]?.body).toMatchObject({ common_name: 'a.example.org', ttl: '600s' });
});

test('one that is to be revoked when it was replaced is', async () => {
  const provider = pkiCertificate(client, 'web', { commonName: 'a.example.org', revoke: true });
  const credential = await RotatingCredential.open({ provider });
  await credential.rotate();
  expect(server.to('/v1/pki/revoke').map(({ body }) => body)).toEqual([{ serial_number: 's1' }]);
  await credential.close();
});

test('the key is made in this process for each certificate, and only a request for it travels', async () => {
  const keyType = 'ec-p384';
  const provider = pkiCertificate(client, 'web', { commonName: 'a.example.org', keyType });
  const credential = await RotatingCredential.open({ provider });
  const first = credential.current().value;
  const key = createPrivateKey(first.privateKeyPem.reveal());
  expect(key.asymmetricKeyDetails?.namedCurve).toBe('secp384r1');
  expect(new X509Certificate(first.certificatePem).checkPrivateKey(key)).toBe(true);
  await credential.rotate();
  expect(credential.current().value.privateKeyPem.reveal()).not.toBe(first.privateKeyPem.reveal());
  expect(server.to('/v1/pki/issue/web')).toEqual([]);
  expect(JSON.stringify(server.requests)).not.toContain('PRIVATE KEY');
  await credential.close();
});

test('where a policy allows nothing else, the engine makes the key', async () => {
  const { issue } = client.pki();
  const provider = pkiCertificate(client, 'web', { commonName: 'a.example.org', issue });
  const credential = await RotatingCredential.open({ provider });
  expect(credential.current().value.privateKeyPem.reveal()).toContain('PRIVATE KEY');
  expect(server.to('/v1/pki/sign/web')).toEqual([]);
  await credential.close();
});
