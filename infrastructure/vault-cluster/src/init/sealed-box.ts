import {
  constants,
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { z } from 'zod';
import { ClusterError } from '../cluster-error.ts';

const MIN_MODULUS_BITS = 3_072;
const OAEP = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' } as const;

const base64 = z.string().regex(/^[A-Za-z0-9+/]+=*$/);
const boxSchema = z.strictObject({ version: z.literal(1), key: base64, iv: base64, tag: base64, data: base64 });

/** AES-256-GCM with a key of its own, which RSA-OAEP hides from everybody but the holder of the private key. */
export type SealedBox = z.infer<typeof boxSchema>;

/** @throws RangeError for a key that is no RSA key of 3072 bits or more */
export function seal(value: unknown, publicKeyPem: string): SealedBox {
  const publicKey = createPublicKey(publicKeyPem);
  const bits = publicKey.asymmetricKeyDetails?.modulusLength ?? 0;
  if (publicKey.asymmetricKeyType !== 'rsa' || bits < MIN_MODULUS_BITS) {
    throw new RangeError(`fallback.publicKey: an RSA key of ${MIN_MODULUS_BITS} bits or more is needed`);
  }
  const key = randomBytes(32);
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  const data = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()]);
  const text = (bytes: Buffer): string => bytes.toString('base64');
  const hidden = publicEncrypt({ key: publicKey, ...OAEP }, key);
  return { version: 1, key: text(hidden), iv: text(iv), tag: text(cipher.getAuthTag()), data: text(data) };
}

/** @throws ClusterError where it is no sealed box, was changed, or is another's */
export function open(box: unknown, privateKeyPem: string): unknown {
  const parsed = boxSchema.safeParse(box);
  if (!parsed.success) throw new ClusterError('fallback_unreadable', 'Opening the keys: this is no sealed box');
  const bytes = (text: string): Buffer => Buffer.from(text, 'base64');
  try {
    const key = privateDecrypt({ key: privateKeyPem, ...OAEP }, bytes(parsed.data.key));
    const decipher = createDecipheriv('aes-256-gcm', key, bytes(parsed.data.iv)).setAuthTag(bytes(parsed.data.tag));
    const text = Buffer.concat([decipher.update(bytes(parsed.data.data)), decipher.final()]).toString('utf8');
    return JSON.parse(text) as unknown;
  } catch (cause) {
    const message = 'Opening the keys: the private key does not fit, or they were changed';
    throw new ClusterError('fallback_unreadable', message, { cause });
  }
}
