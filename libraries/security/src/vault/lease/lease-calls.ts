import type { VaultCall } from '../dispatch.ts';
import type { VaultEnvelope } from '../envelope.ts';
import { isVaultError } from '../errors.ts';

export type Send = (call: VaultCall) => Promise<VaultEnvelope>;

/** What the server gave: often less than the lease's first duration, never to be assumed. */
export interface RenewedLease {
  readonly leaseSeconds: number;
  readonly renewable: boolean;
}

export async function renewLease(
  send: Send,
  leaseId: string,
  options: { incrementSeconds?: number; signal?: AbortSignal | undefined } = {},
): Promise<RenewedLease> {
  const { incrementSeconds, signal } = options;
  const { leaseSeconds, renewable } = await send({
    method: 'POST',
    path: 'sys/leases/renew',
    body: { lease_id: leaseId, ...(incrementSeconds === undefined ? {} : { increment: incrementSeconds }) },
    operation: 'lease.renew',
    safe: true,
    signal,
  });
  return { leaseSeconds, renewable };
}

/** Ends the lease and waits until the server has undone what it stands for. One that is gone is fine. */
export async function revokeLease(send: Send, leaseId: string, signal?: AbortSignal): Promise<void> {
  try {
    await send({
      method: 'POST',
      path: 'sys/leases/revoke',
      body: { lease_id: leaseId, sync: true },
      operation: 'lease.revoke',
      safe: true,
      signal,
    });
  } catch (error) {
    if (!isVaultError(error, 'lease-not-found') && !isVaultError(error, 'not-found')) throw error;
  }
}
