import { randomUUID } from 'node:crypto';
import type { SessionPool } from './session-pool.ts';

export const ECHO_CHANNEL = 'orchestrator_echo';

/** Announces something to ourselves and waits for it: shows that the session which listens hears what is announced. */
export class AnnouncementEcho {
  readonly #pool: SessionPool;
  readonly #waiting = new Map<string, () => void>();

  constructor(pool: SessionPool) {
    this.#pool = pool;
  }

  /** An announcement arrived on `ECHO_CHANNEL`; other processes' are ignored. */
  received(payload: string): void {
    this.#waiting.get(payload)?.();
  }

  /** Rejects when the announcement did not come back within `limitMs`, default 2 000 ms. */
  async roundTrip(signal: AbortSignal, limitMs = 2_000): Promise<void> {
    const id = randomUUID();
    const ending = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
    try {
      const heard = new Promise<void>((resolve, reject) => {
        this.#waiting.set(id, resolve);
        ending.addEventListener('abort', () => reject(ending.reason), { once: true });
      });
      // Both are watched from the start, so that neither rejection goes unheard.
      await Promise.all([heard, this.#pool.query('select pg_notify($1, $2)', [ECHO_CHANNEL, id])]);
    } finally {
      this.#waiting.delete(id);
    }
  }
}
