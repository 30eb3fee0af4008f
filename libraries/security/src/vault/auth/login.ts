import type { AuthBlock } from '../envelope.ts';
import { VaultError } from '../errors.ts';
import type { LoginContext } from './auth.ts';

/** POST auth/<mount>/login, the same for every method. */
export async function loginAt(
  { send, signal }: LoginContext,
  mount: string,
  body: Readonly<Record<string, unknown>>,
): Promise<AuthBlock> {
  const path = `auth/${mount}/login`;
  // A repeated login leaves an unused token behind, which ends by itself: only what surely did not run is repeated.
  const { auth } = await send({ method: 'POST', path, body, operation: 'auth.login', safe: false, signal });
  if (auth === undefined) throw new VaultError('login-incomplete', `POST ${path}: the answer holds no token`);
  return auth;
}

export function requireText(value: unknown, option: string): void {
  if (typeof value !== 'string' || value.trim() === '') throw new TypeError(`${option}: must be a non-empty string`);
}
