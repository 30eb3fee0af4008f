import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { open, seal } from './sealed-box.ts';

function rsa(modulusLength = 3072) {
  return generateKeyPairSync('rsa', {
    modulusLength,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
}

const keys = rsa();
const value = { rootToken: { root_token: 'hvs.secret' } };

test('what is sealed to a public key is opened by its private key, and shows nothing before', () => {
  const box = seal(value, keys.publicKey);
  expect(JSON.stringify(box)).not.toContain('hvs.secret');
  expect(open(JSON.parse(JSON.stringify(box)), keys.privateKey)).toEqual(value);
});

test('another key, changed data and something else are refused without a word of the content', () => {
  const box = seal(value, keys.publicKey);
  const refused = { code: 'fallback_unreadable' };
  const failing = (run: () => unknown): unknown => {
    try {
      return run();
    } catch (error) {
      return error;
    }
  };
  expect(failing(() => open(box, rsa().privateKey))).toMatchObject(refused);
  const data = Buffer.from(box.data, 'base64');
  data[0] = (data[0] ?? 0) ^ 1;
  expect(failing(() => open({ ...box, data: data.toString('base64') }, keys.privateKey))).toMatchObject(refused);
  expect(failing(() => open({ ...box, version: 2 }, keys.privateKey))).toMatchObject(refused);
});

test('a key that is too short or of another kind is refused before anything is sealed', () => {
  expect(() => seal(value, rsa(2048).publicKey)).toThrow(RangeError);
  const { publicKey } = generateKeyPairSync('ed25519');
  expect(() => seal(value, String(publicKey.export({ type: 'spki', format: 'pem' })))).toThrow(/RSA key of 3072/);
});
