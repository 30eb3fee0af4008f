import type { Metadata } from '@grpc/grpc-js';
import { Refusal } from './refusal.ts';

/**
 * The one token of a call (JWT-SVID, 5.3). Several headers, or several values in one, are refused: two readers
 * could each believe another one.
 */
export function bearerToken(metadata: Metadata): string {
  const values = metadata.get('authorization');
  const [value] = values;
  if (value === undefined) throw new Refusal('missing_token');
  const token = /^Bearer ([^\s,]+)$/i.exec(String(value))?.[1];
  if (values.length !== 1 || token === undefined) throw new Refusal('malformed_token');
  return token;
}
