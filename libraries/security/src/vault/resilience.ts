import { DelegateBackoff, handleWhen, type IPolicy, retry } from 'cockatiel';
import { fullJitterMs, type Random } from '../common/index.ts';
import type { Deadline } from './deadline.ts';
import { isVaultError, VaultError } from './errors.ts';

export interface ResilienceOptions {
  /** Repetitions after the first try. */
  readonly maxRetries: number;
  readonly random: Random;
}

export interface CallTraits {
  /** Whether the call may run twice without harm. */
  readonly safe: boolean;
  /** Whether it is sent at most one time, whatever happens. */
  readonly once: boolean;
  readonly deadline: Deadline;
}

/** A server that asks for a longer wait gets none: the caller is told instead. */
const LONGEST_WAIT_MS = 30_000;

function repeatable(error: Error, safe: boolean): boolean {
  if (!isVaultError(error) || !error.retryable) return false;
  if (error.code === 'breaker-open' || error.code === 'deadline-exceeded') return false;
  if ((error.retryAfterMs ?? 0) > LONGEST_WAIT_MS) return false;
  // A lost answer to a request that creates something may leave an orphan: repeat only what surely did not run.
  return safe || !error.maybeExecuted;
}

/** Repeats what may be repeated, with growing waits. */
export class Resilience {
  readonly #safe: IPolicy;
  readonly #creating: IPolicy;
  readonly #options: ResilienceOptions;

  constructor(options: ResilienceOptions) {
    this.#options = options;
    this.#safe = this.#retryPolicy(true);
    this.#creating = this.#retryPolicy(false);
  }

  run<T>({ safe, once, deadline }: CallTraits, attempt: () => Promise<T>): Promise<T> {
    const guarded = (): Promise<T> => {
      deadline.throwIfOver();
      return attempt();
    };
    // The policies do not end a wait when the caller gives up.
    return deadline.guard(once ? guarded() : (safe ? this.#safe : this.#creating).execute(guarded));
  }

  #retryPolicy(safe: boolean): IPolicy {
    const { maxRetries, random } = this.#options;
    return retry(
      handleWhen((error) => repeatable(error, safe)),
      {
        maxAttempts: maxRetries,
        backoff: new DelegateBackoff(({ attempt, result }) => {
          const jitterMs = fullJitterMs(attempt, { baseMs: 100, capMs: 5_000, random });
          const error = 'error' in result ? result.error : undefined;
          return error instanceof VaultError ? Math.max(0, error.retryAfterMs ?? 0) + jitterMs : jitterMs;
        }),
      },
    ).dangerouslyUnref();
  }
}
