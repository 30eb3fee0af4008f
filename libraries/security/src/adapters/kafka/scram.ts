import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { KafkaError } from './kafka-error.ts';
import type { KafkaLogin } from './login.ts';

const HASH = 'sha512';
const HASH_BYTES = 64;
/** What RFC 7677 section 4 calls the least, and more than any broker asks: a hostile one must not keep us busy. */
const ITERATIONS = { least: 4_096, most: 1_000_000 } as const;
const deriveKey = promisify(pbkdf2);

/** `Hi()` of RFC 5802 section 2.2, which is what a broker stores for a user. */
export function saltPassword(password: string, salt: Buffer, iterations: number): Promise<Buffer> {
  return deriveKey(Buffer.from(password, 'utf8'), salt, iterations, HASH_BYTES, HASH);
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac(HASH, key).update(text).digest();
}

function attribute(message: string, name: string): string {
  const found = message.split(',').find((part) => part.startsWith(`${name}=`));
  if (found === undefined)
    throw new KafkaError('bad-response', `Authenticating: the broker's SCRAM message has no ${name}`);
  return found.slice(2);
}

/** Authenticates by SCRAM-SHA-512 (RFC 5802); `exchange` carries one message there and one back. */
export async function authenticateScram(
  { username, password }: KafkaLogin,
  exchange: (message: string) => Promise<string>,
): Promise<void> {
  const nonce = randomBytes(24).toString('base64');
  // Section 5.1: the two characters that have a meaning of their own.
  const name = username.replaceAll('=', '=3D').replaceAll(',', '=2C');
  const firstBare = `n=${name},r=${nonce}`;
  const first = await exchange(`n,,${firstBare}`);
  const iterations = Number(attribute(first, 'i'));
  if (!attribute(first, 'r').startsWith(nonce) || !(iterations >= ITERATIONS.least && iterations <= ITERATIONS.most)) {
    throw new KafkaError('bad-response', 'Authenticating: the nonce or the iteration count of the broker is wrong');
  }
  const salted = await saltPassword(password.reveal(), Buffer.from(attribute(first, 's'), 'base64'), iterations);
  const clientKey = hmac(salted, 'Client Key');
  const finalBare = `c=biws,r=${attribute(first, 'r')}`;
  const transcript = `${firstBare},${first},${finalBare}`;
  const signature = hmac(createHash(HASH).update(clientKey).digest(), transcript);
  const proof = clientKey.map((byte, index) => byte ^ (signature[index] ?? 0));
  const last = await exchange(`${finalBare},p=${Buffer.from(proof).toString('base64')}`);
  const expected = hmac(hmac(salted, 'Server Key'), transcript);
  const shown = Buffer.from(attribute(last, 'v'), 'base64');
  // A broker that does not know the password either is not the one we mean.
  if (shown.length !== expected.length || !timingSafeEqual(shown, expected)) {
    throw new KafkaError('bad-response', 'Authenticating: the broker did not show that it knows the user');
  }
}
