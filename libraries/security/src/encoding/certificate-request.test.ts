import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { parseCertificateRequest } from '../testing/certificate-request.ts';
import { createCertificateRequest } from './certificate-request.ts';

const KEYS = [
  ['EC on P-256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey],
  ['EC on P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey],
  ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
] as const;

test.each(KEYS)('a request for %s verifies with its own key and holds every name', (_kind, generate) => {
  const privateKey = generate();
  const names = { uris: ['spiffe://example.org/a'], dnsNames: ['a.example'], ipAddresses: ['10.0.0.1'] };
  const pem = createCertificateRequest({ privateKey, commonName: 'a.example', ...names });
  const { publicKey, ...parsed } = parseCertificateRequest(pem);
  expect(parsed).toEqual({ commonName: 'a.example', names });
  expect(publicKey.equals(createPublicKey(privateKey))).toBe(true);
});

test('a request needs no name', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { names, commonName } = parseCertificateRequest(createCertificateRequest({ privateKey }));
  expect({ names, commonName }).toEqual({ names: { uris: [], dnsNames: [], ipAddresses: [] }, commonName: undefined });
});

test('a key whose signatures no server takes is refused by name', () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  expect(() => createCertificateRequest({ privateKey })).toThrow(/^privateKey:/);
  const { privateKey: odd } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
  expect(() => createCertificateRequest({ privateKey: odd })).toThrow(/^privateKey:/);
});
