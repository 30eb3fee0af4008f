import { generateKeyPairSync, type KeyObject } from 'node:crypto';

export type KeyType = 'ec-p256' | 'ec-p384' | 'rsa-2048';

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export function generateKeyPair(type: KeyType = 'ec-p256'): KeyPair {
  if (type === 'rsa-2048') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  return generateKeyPairSync('ec', { namedCurve: type === 'ec-p256' ? 'prime256v1' : 'secp384r1' });
}
