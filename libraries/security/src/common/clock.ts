/** Time as the library sees it; tests inject a clock they move by hand. */
export interface Clock {
  /** Wall time in epoch milliseconds. */
  now(): number;
  /** Milliseconds that never jump. */
  monotonicMs(): number;
  /** Calls back once after `delayMs`, which may exceed the 2^31-1 ms that Node's own timers can hold. */
  setTimer(delayMs: number, callback: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/** The longest delay Node's timers hold; a longer one would fire after 1 ms. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** The system's clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs, callback) {
    let remainingMs = Math.max(0, delayMs);
    let handle: NodeJS.Timeout;
    const arm = (): void => {
      const stepMs = Math.min(remainingMs, MAX_TIMER_MS);
      remainingMs -= stepMs;
      handle = setTimeout(() => (remainingMs > 0 ? arm() : callback()), stepMs);
      handle.unref();
    };
    arm();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Seconds until `endMs`, 0 when it is over; undefined for an end that never comes. */
export function secondsLeft(clock: Clock, endMs: number): number | undefined {
  if (endMs >= Number.MAX_SAFE_INTEGER) return undefined;
  return Math.max(0, endMs - clock.now()) / 1_000;
}

/** A number in [0, 1); tests inject a seeded one. */
export type Random = () => number;

/**
 * Resolves after `delayMs`; rejects with the signal's reason when it is aborted first. A timer alone does not keep
 * the process alive.
 */
export function sleep(
  delayMs: number,
  options: { clock?: Clock; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const { clock = systemClock, signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
