import type { VaultCall } from '../dispatch.ts';
import type { VaultEnvelope } from '../envelope.ts';
import { isVaultError } from '../errors.ts';
import type { Lease, LeaseOptions } from '../lease/lease.ts';

/** Sends with the client's token. */
export interface Call {
  (call: VaultCall): Promise<VaultEnvelope>;
  /** The `keys` of a list; servers answer 404 for an empty one. */
  list(call: VaultCall): Promise<string[]>;
}

/** What an engine needs of the client. */
export interface EngineContext {
  readonly call: Call;
  /** Sends a call that makes a lease and takes charge of it. */
  lease<T>(call: VaultCall, parse: (envelope: VaultEnvelope) => T, options: LeaseOptions): Promise<Lease<T>>;
}

export function callOf(send: (call: VaultCall) => Promise<VaultEnvelope>): Call {
  return Object.assign((call: VaultCall) => send(call), {
    async list(call: VaultCall): Promise<string[]> {
      try {
        const { keys } = (await send(call)).data;
        return Array.isArray(keys) ? keys.map(String) : [];
      } catch (error) {
        if (isVaultError(error, 'not-found')) return [];
        throw error;
      }
    },
  });
}
