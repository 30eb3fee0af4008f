import { expect, test } from 'vitest';
import { CertificateAuthority } from '../../../testing/index.ts';
import { encodeSpiffeBundle } from './encode.ts';
import type { SpiffeBundle } from './spiffe-bundle.ts';

const authority = CertificateAuthority.create('example.org');
const bundle: SpiffeBundle = {
  trustDomain: authority.trustDomain,
  sequence: 1n,
  refreshHintSeconds: 300,
  x509: authority.bundle(),
  jwt: authority.jwtBundle(),
  ignored: [],
};
const published = (): Record<string, unknown>[] => JSON.parse(encodeSpiffeBundle(bundle)).keys;

test('X-15: an X.509 entry has its use, no kid, its key and exactly one certificate, which is the authority', () => {
  const entries = published().filter(({ use }) => use === 'x509-svid');
  const [der = new Uint8Array()] = authority.bundle().authorities;
  expect(entries).toEqual([
    {
      use: 'x509-svid',
      kty: 'EC',
      crv: 'P-256',
      x: expect.any(String),
      y: expect.any(String),
      x5c: [Buffer.from(der).toString('base64')],
    },
  ]);
});

test('J-15: a JWT entry has its use and a kid, and a key without kid is not published', () => {
  const entries = published().filter(({ use }) => use === 'jwt-svid');
  expect(entries.map(({ kid }) => kid)).toEqual(bundle.jwt.keys.map(({ kid }) => kid));
  const [key] = bundle.jwt.keys;
  if (key === undefined) throw new TypeError('bundle must hold a JWT key');
  const keys = [{ publicKey: key.publicKey }];
  expect(() => encodeSpiffeBundle({ ...bundle, jwt: { ...bundle.jwt, keys } })).toThrow(TypeError);
});
