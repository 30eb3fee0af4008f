import { type Clock, fullJitterMs, sleep } from '@neural-hive/security/common';

export interface FeedOptions {
  /** Waits for entries and takes them in; returns when there were some, or none for a while. */
  readonly follow: () => Promise<void>;
  /** Reads everything again after a failure. */
  readonly reload: () => Promise<void>;
  /** Told of a failure that `reload` has not made good within a second. */
  readonly onFault: (error: unknown) => void;
  readonly clock: Clock;
}

/** What a connection may be away without anybody being told: it is lost and back within milliseconds. */
const GRACE_MS = 1_000;

/** Follows what others write until it is closed. */
export function startFeed({ follow, reload, onFault, clock }: FeedOptions): { close(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;

  async function recover(cause: unknown): Promise<void> {
    const late = clock.setTimer(GRACE_MS, () => onFault(cause));
    try {
      for (let attempt = 0; !signal.aborted; attempt += 1) {
        try {
          return await reload();
        } catch {
          const delayMs = 20 + fullJitterMs(attempt, { baseMs: 50, capMs: 1_000 });
          await sleep(delayMs, { clock, signal }).catch(() => undefined);
        }
      }
    } finally {
      late.cancel();
    }
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      try {
        await follow();
      } catch (error) {
        if (!signal.aborted) await recover(error);
      }
    }
  }

  const running = run();
  return {
    async close() {
      stopping.abort();
      await running;
    },
  };
}
