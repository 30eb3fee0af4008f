import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Secret } from '../common/index.ts';
import { CertificateAuthority } from '../testing/certificate-authority.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { answerLookup, FaultVault, reply } from '../testing/fault-vault.ts';
import { type PkiRequest, tokenAuth, VaultClient } from '../vault/index.ts';
import { pkiCertificate } from './pki-certificate.ts';
import { RotatingCredential } from './rotating-credential.ts';

const authority = CertificateAuthority.create('example.org');
let server: FaultVault;
let client: VaultClient;
let clock: FakeClock;
let issued: number;

function certificate(ttlSeconds: number) {
  const one = authority.issueTlsCertificate({ dnsNames: ['a.example.org'], ttlSeconds });
  issued += 1;
  return { pem: one.certificateChainPem, key: one.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

beforeEach(async () => {
  issued = 0;
  clock = new FakeClock(Date.now());
  server = await FaultVault.listen();
  server.handler = ({ path }, response) => {
    if (path.endsWith('lookup-self')) return answerLookup(response);
    if (!path.includes('/issue/')) return reply(response, 204, '');
    const { pem, key } = certificate(600);
    const expiration = Math.floor(Date.now() / 1_000) + 600;
    reply(response, 200, {
      data: {
        certificate: pem,
        private_key: key,
        ca_chain: [authority.certificatePem],
        serial_number: `s${issued}`,
        expiration,
      },
    });
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
  expect(server.to('/v1/pki/issue/web')[0]?.body).toMatchObject({ common_name: 'a.example.org', ttl: '600s' });
});

test('one that is to be revoked when it was replaced is', async () => {
  const provider = pkiCertificate(client, 'web', { commonName: 'a.example.org', revoke: true });
  const credential = await RotatingCredential.open({ provider });
  await credential.rotate();
  expect(server.to('/v1/pki/revoke').map(({ body }) => body)).toEqual([{ serial_number: 's1' }]);
  await credential.close();
});

test('the key may be made in this process', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const own = new Secret(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  const asked: PkiRequest[] = [];
  const provider = pkiCertificate(client, 'web', {
    commonName: 'a.example.org',
    async issue(_role, request) {
      asked.push(request);
      const { pem } = certificate(600);
      return {
        certificatePem: pem,
        privateKeyPem: own,
        caChainPem: [],
        serialNumber: 's',
        expiresAtMs: Date.now() + 6e5,
      };
    },
  });
  const credential = await RotatingCredential.open({ provider });
  expect(credential.current().value.privateKeyPem).toBe(own);
  expect(asked).toEqual([{ commonName: 'a.example.org', signal: expect.any(AbortSignal) }]);
  await credential.close();
});
