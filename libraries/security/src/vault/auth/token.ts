import { Secret } from '../../common/index.ts';
import { lookupSelf } from '../token/token-calls.ts';
import type { VaultAuth } from './auth.ts';

/**
 * Uses a token that was handed in. It is renewed while that extends it; it is not revoked at close, and when it
 * ends there is no second one.
 */
export function tokenAuth({ token }: { token: string | Secret<string> }): VaultAuth {
  const secret = typeof token === 'string' ? new Secret(token) : token;
  if (!/^[\x21-\x7e]+$/.test(secret.reveal())) {
    throw new TypeError('token: must be a non-empty string of printable ASCII without spaces');
  }
  return {
    method: 'token',
    issues: false,
    login: (context) => lookupSelf((call) => context.send(call, secret), secret, context.signal),
  };
}
