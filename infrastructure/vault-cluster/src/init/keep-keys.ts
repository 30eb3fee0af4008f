import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '@neural-hive/security/common';
import { ClusterError } from '../cluster-error.ts';
import type { KeptSecret, KeyStore } from './key-store.ts';
import type { NewKeys } from './new-cluster.ts';

export interface KeepOptions {
  readonly store: KeyStore;
  readonly shares: number;
  readonly threshold: number;
  /** Keeps them elsewhere when the store goes on refusing; returns where. */
  readonly fallback: ((value: unknown) => Promise<string>) | undefined;
  readonly log: (line: string) => void;
  /** How long the store is asked again. Default ten minutes. */
  readonly limitMs?: number;
  /** Between two tries. Default 5 s. */
  readonly intervalMs?: number;
}

const LIMIT_MS = 600_000;
const INTERVAL_MS = 5_000;

/** Puts a marker into both secrets, so that a right that is missing is found while there is nothing to lose. */
export async function rehearse(store: KeyStore): Promise<void> {
  for (const name of ['recoveryKeys', 'rootToken'] as const) {
    try {
      await store.put(name, { state: 'initialising' });
    } catch (cause) {
      const rule = `Storing a marker as ${name}: ${messageOf(cause)}`;
      const advice = 'nothing was initialised; mend the role of the init Job or init.secrets';
      throw new ClusterError('store_refused', `${rule}; ${advice}`, { retryable: true, cause });
    }
  }
}

/** Keeps the keys before anything else is done with them. @throws ClusterError `keys_lost` */
export async function keepKeys(keys: NewKeys, options: KeepOptions): Promise<void> {
  const { shares, threshold, fallback, log } = options;
  const values: Readonly<Record<KeptSecret, Readonly<Record<string, unknown>>>> = {
    recoveryKeys: {
      shares,
      threshold,
      recovery_keys: keys.recoveryKeys.reveal(),
      recovery_keys_base64: keys.recoveryKeysBase64.reveal(),
    },
    rootToken: { root_token: keys.rootToken.reveal() },
  };
  try {
    for (const name of ['recoveryKeys', 'rootToken'] as const) await putUntil(name, values[name], options);
    log('recovery keys and root token are stored');
  } catch (refused) {
    if (fallback === undefined) throw lost(refused, 'init.fallback.publicKey is not set');
    try {
      log(`recovery keys and root token are kept, sealed, in ${await fallback(values)}: store them as soon as you can`);
    } catch (error) {
      throw lost(refused, messageOf(error));
    }
  }
}

function lost(refused: unknown, fallback: string): ClusterError {
  const advice = 'the cluster holds nothing yet: uninstall, delete its volumes, mend the store and install again';
  return new ClusterError('keys_lost', `Storing the keys: ${messageOf(refused)}; fallback: ${fallback}; ${advice}`, {
    cause: refused,
  });
}

async function putUntil(
  name: KeptSecret,
  value: Readonly<Record<string, unknown>>,
  options: KeepOptions,
): Promise<void> {
  const { store, log, limitMs = LIMIT_MS, intervalMs = INTERVAL_MS } = options;
  const untilMs = performance.now() + limitMs;
  for (;;) {
    try {
      return await store.put(name, value);
    } catch (error) {
      if (performance.now() + intervalMs > untilMs) throw error;
      log(`storing ${name}: ${messageOf(error)}; again in ${intervalMs / 1_000} s`);
      await delay(intervalMs);
    }
  }
}
