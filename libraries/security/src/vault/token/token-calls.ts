import type { Secret } from '../../common/index.ts';
import type { VaultCall } from '../dispatch.ts';
import type { AuthBlock, VaultEnvelope } from '../envelope.ts';
import { VaultError } from '../errors.ts';

/** Sends with the token in question. */
export type SendWithToken = (call: VaultCall) => Promise<VaultEnvelope>;

/** What the server knows about a token. Rejects with `permission-denied` when it does not exist any more. */
export async function lookupSelf(send: SendWithToken, token: Secret<string>, signal?: AbortSignal): Promise<AuthBlock> {
  const { data } = await send({ method: 'GET', path: 'auth/token/lookup-self', operation: 'token.lookup', signal });
  const { accessor, ttl, renewable, type, policies } = data;
  if (typeof ttl !== 'number') {
    throw new VaultError('bad-response', 'GET auth/token/lookup-self: the answer has no ttl');
  }
  return {
    token,
    accessor: typeof accessor === 'string' ? accessor : '',
    leaseSeconds: ttl,
    renewable: renewable === true,
    type: typeof type === 'string' ? type : 'service',
    policies: Array.isArray(policies) ? policies.map(String) : [],
  };
}

/** Extends the token; the answer's `leaseSeconds` is what it really got. */
export async function renewSelf(send: SendWithToken, signal?: AbortSignal): Promise<AuthBlock> {
  const path = 'auth/token/renew-self';
  const { auth } = await send({ method: 'POST', path, body: {}, operation: 'token.renew', safe: true, signal });
  if (auth === undefined) throw new VaultError('bad-response', `POST ${path}: the answer has no auth`);
  return auth;
}

/** Ends the token, and with it every lease that was made with it. */
export async function revokeSelf(send: SendWithToken, signal?: AbortSignal): Promise<void> {
  await send({ method: 'POST', path: 'auth/token/revoke-self', operation: 'token.revoke', safe: true, signal });
}
