import { type Clock, sleep } from '../../common/index.ts';

/** Waits for `work` until the limit; the work itself goes on. */
export async function within<T>(
  work: Promise<T>,
  options: {
    readonly limitMs: number;
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly reason?: () => Error;
  },
): Promise<T> {
  const { limitMs, clock, signal, reason = () => new Error(`not within ${limitMs} ms`) } = options;
  const over = new AbortController();
  const limit = sleep(limitMs, { clock, signal: AbortSignal.any([signal, over.signal]) }).then(() => {
    throw reason();
  });
  limit.catch(() => undefined);
  work.catch(() => undefined);
  try {
    return await Promise.race([work, limit]);
  } finally {
    over.abort();
  }
}
