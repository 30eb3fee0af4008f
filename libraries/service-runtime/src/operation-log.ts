/** One use of a credential, from its start to its end in epoch milliseconds. */
export interface Operation {
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly failed: boolean;
  /** How often the operation had to be repeated before it ended. */
  readonly retries: number;
}

export interface Interval {
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

export interface IntervalStatistics {
  /** Operations of which at least one instant lies in the interval. */
  readonly operationsDuring: number;
  readonly failed: number;
  /** Operations that were repeated at least once. */
  readonly retried: number;
  /** The longest latency of one of them, or the longest time from the start or a completion to the next completion. */
  readonly maxStallMs: number;
}

/** What happened to a credential's operations during an interval. `operations` are in the order of their ends. */
export function statisticsOf(operations: readonly Operation[], interval: Interval): IntervalStatistics {
  let operationsDuring = 0;
  let failed = 0;
  let retried = 0;
  let maxStallMs = 0;
  let previousEndMs: number | undefined;
  for (const operation of operations) {
    const { startedAtMs, endedAtMs } = operation;
    if (startedAtMs <= interval.endedAtMs && endedAtMs >= interval.startedAtMs) {
      operationsDuring += 1;
      if (operation.failed) failed += 1;
      if (operation.retries > 0) retried += 1;
      maxStallMs = Math.max(maxStallMs, endedAtMs - startedAtMs);
    }
    if (previousEndMs !== undefined && previousEndMs <= interval.endedAtMs && endedAtMs >= interval.startedAtMs) {
      // The load pauses on purpose while nothing rotates, so the time before the interval is no stall.
      maxStallMs = Math.max(maxStallMs, endedAtMs - Math.max(previousEndMs, interval.startedAtMs));
    }
    previousEndMs = endedAtMs;
  }
  return { operationsDuring, failed, retried, maxStallMs };
}

const KEPT_OPERATIONS = 20_000;

/** The latest operations of one credential. The oldest are forgotten; the totals are not. */
export class OperationLog {
  #operations: Operation[] = [];
  readonly #inFlight = new Set<{ readonly startedAtMs: number }>();
  readonly #listeners = new Set<() => void>();
  #total = 0;
  #failed = 0;
  #retried = 0;

  get totals(): { readonly operations: number; readonly failed: number; readonly retried: number } {
    return { operations: this.#total, failed: this.#failed, retried: this.#retried };
  }

  /** Call at the start of an operation and the returned function at its end. */
  begin(startedAtMs: number): (end: { endedAtMs: number; failed: boolean; retries: number }) => void {
    const running = { startedAtMs };
    this.#inFlight.add(running);
    return (end) => {
      if (!this.#inFlight.delete(running)) return;
      this.#operations.push({ startedAtMs, ...end });
      if (this.#operations.length > 2 * KEPT_OPERATIONS) this.#operations = this.#operations.slice(-KEPT_OPERATIONS);
      this.#total += 1;
      if (end.failed) this.#failed += 1;
      if (end.retries > 0) this.#retried += 1;
      for (const listener of [...this.#listeners]) listener();
    };
  }

  statistics(interval: Interval): IntervalStatistics {
    return statisticsOf(this.#operations, interval);
  }

  /** Completed operations that were running at `sinceMs` or started later. */
  completedSince(sinceMs: number): number {
    let count = 0;
    for (let index = this.#operations.length - 1; index >= 0; index -= 1) {
      const operation = this.#operations[index];
      if (operation === undefined || operation.endedAtMs < sinceMs) break;
      count += 1;
    }
    return count;
  }

  /** Resolves with true once `count` operations completed after `sinceMs`, with false when the signal comes first. */
  async waitForCompleted(count: number, sinceMs: number, signal: AbortSignal): Promise<boolean> {
    return this.#until(() => this.completedSince(sinceMs) >= count, signal);
  }

  /** Resolves with true once no operation is running that started at `untilMs` or before. */
  async waitForInFlight(untilMs: number, signal: AbortSignal): Promise<boolean> {
    return this.#until(() => ![...this.#inFlight].some(({ startedAtMs }) => startedAtMs <= untilMs), signal);
  }

  #until(reached: () => boolean, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (result: boolean): void => {
        this.#listeners.delete(check);
        signal.removeEventListener('abort', onAbort);
        resolve(result);
      };
      const check = (): void => {
        if (reached()) settle(true);
      };
      const onAbort = (): void => settle(reached());
      this.#listeners.add(check);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      else check();
    });
  }
}
