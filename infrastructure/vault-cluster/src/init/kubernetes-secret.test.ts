import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { CertificateAuthority } from '@neural-hive/security/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { storeInSecret } from './kubernetes-secret.ts';
import type { SealedBox } from './sealed-box.ts';

const box: SealedBox = { version: 1, key: 'a', iv: 'b', tag: 'c', data: 'd' };
const where = { namespace: 'vault', secretName: 'fallback' };

let folder: string;
let server: Server;
let address: string;
let answer: readonly [number, object];
let asked: { path: string | undefined; authorization: string | undefined; body: unknown };

beforeEach(async () => {
  folder = mkdtempSync('/tmp/fallback-');
  const authority = CertificateAuthority.create('cluster.test');
  const issued = authority.issueTlsCertificate({
    ipAddresses: ['127.0.0.1'],
    dnsNames: ['localhost'],
    ttlSeconds: 600,
  });
  writeFileSync(join(folder, 'token'), 'service-account-token\n');
  writeFileSync(join(folder, 'ca.crt'), authority.certificatePem);
  const key = issued.privateKey.export({ type: 'pkcs8', format: 'pem' });
  server = createServer({ cert: issued.certificateChainPem, key }, async (request, response) => {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    asked = { path: request.url, authorization: request.headers.authorization, body: JSON.parse(text) };
    response.writeHead(answer[0]).end(JSON.stringify(answer[1]));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  rmSync(folder, { recursive: true });
});

test('the sealed keys become a Secret with a name that was not there before', async () => {
  answer = [201, { metadata: { name: 'fallback-abcde' } }];
  await expect(storeInSecret(box, where, { address, folder })).resolves.toBe('fallback-abcde');
  expect(asked).toMatchObject({
    path: '/api/v1/namespaces/vault/secrets',
    authorization: 'Bearer service-account-token',
    body: { kind: 'Secret', metadata: { generateName: 'fallback-' }, stringData: { 'keys.json': JSON.stringify(box) } },
  });
});

test('a refusal says what the API server said', async () => {
  answer = [403, { message: 'secrets is forbidden' }];
  await expect(storeInSecret(box, where, { address, folder })).rejects.toThrow(/403 secrets is forbidden/);
});
