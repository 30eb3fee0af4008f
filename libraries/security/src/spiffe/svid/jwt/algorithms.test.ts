import { constants, generateKeyPairSync, sign } from 'node:crypto';
import { jwtVerify } from 'jose';
import { expect, test } from 'vitest';
import { encodeBase64Url } from '../../../encoding/index.ts';
import { TrustDomain } from '../../trust-domain.ts';
import { verifyJwtSvid } from './verify.ts';

const ID = 'spiffe://example.org/a';
const NOW = 1_800_000_000;

/** A token by an RSA key of this size, and a bundle that its owner made of that key: nobody has parsed it. */
function signedBy(modulusLength: number, alg: 'RS256' | 'PS256') {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength });
  const padding = alg === 'PS256' ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 } : {};
  const claims = { sub: ID, aud: 'me', exp: NOW + 300 };
  const text = [{ alg, kid: 'k' }, claims].map((part) => encodeBase64Url(JSON.stringify(part))).join('.');
  const token = `${text}.${encodeBase64Url(sign('sha256', Buffer.from(text), { key: privateKey, ...padding }))}`;
  const bundle = { trustDomain: TrustDomain.parse('example.org'), keys: [{ kid: 'k', publicKey }] };
  const verify = () =>
    verifyJwtSvid(token, { bundles: { getJwtBundle: () => bundle }, audience: 'me', nowMs: NOW * 1000 });
  return { token, publicKey, verify };
}

test.each(['RS256', 'PS256'] as const)(
  'J-11: an RSA key of less than 2048 bits verifies nothing, whoever made the bundle: %s',
  async (alg) => {
    expect(signedBy(2048, alg).verify().id.toString()).toBe(ID);
    const small = signedBy(1024, alg);
    expect(small.verify).toThrow(expect.objectContaining({ code: 'JWT_SIGNATURE_INVALID' }));
    await expect(jwtVerify(small.token, small.publicKey)).rejects.toThrow('2048');
  },
);
