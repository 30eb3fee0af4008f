import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '@neural-hive/security/common';

export interface WaitOptions {
  readonly log: (line: string) => void;
  /** Between two tries. Default 2 s. */
  readonly intervalMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Tries until the probe gives something, for as long as the Job may run. What it waits for is logged once, and again
 * when the reason changes.
 */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<T | undefined>,
  { log, intervalMs = 2_000, signal }: WaitOptions,
): Promise<T> {
  let told: string | undefined;
  for (;;) {
    signal?.throwIfAborted();
    let reason = 'not yet';
    try {
      const found = await probe();
      if (found !== undefined) return found;
    } catch (error) {
      reason = messageOf(error);
    }
    if (reason !== told) log(`waiting for ${what}: ${reason}`);
    told = reason;
    await delay(intervalMs, undefined, { signal });
  }
}
