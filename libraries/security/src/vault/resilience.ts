import {
  BrokenCircuitError,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  DelegateBackoff,
  ExponentialBackoff,
  handleWhen,
  type IPolicy,
  retry,
  wrap,
} from 'cockatiel';
import { fullJitterMs, type Random } from '../common/index.ts';
import { isVaultError, VaultError, type VaultErrorCode } from './errors.ts';
import { vaultFailure } from './failure.ts';

export interface ResilienceOptions {
  /** Repetitions after the first try. */
  readonly maxRetries: number;
  /** Failures in a row that open the breaker. */
  readonly breakerThreshold: number;
  /** The first pause of an open breaker; it doubles up to ten times this. In milliseconds. */
  readonly breakerPauseMs: number;
  readonly random: Random;
}

export interface CallTraits {
  /** Whether the call may run twice without harm. */
  readonly safe: boolean;
  /** Renewals and logins have a backoff of their own: an open breaker must not let healthy credentials die. */
  readonly bypassBreaker: boolean;
  readonly attempted: string;
  readonly signal?: AbortSignal | undefined;
}

const SERVER_TROUBLE = new Set<VaultErrorCode>(['sealed', 'standby', 'unavailable', 'timeout', 'network', 'tls']);

/** A server that asks for a longer wait gets none: the caller is told instead. */
const LONGEST_WAIT_MS = 30_000;

function repeatable(error: Error, safe: boolean): boolean {
  if (!isVaultError(error) || !error.retryable || error.code === 'breaker-open') return false;
  if ((error.retryAfterMs ?? 0) > LONGEST_WAIT_MS) return false;
  // A lost answer to a request that creates something may leave an orphan: repeat only what surely did not run.
  return safe || !error.maybeExecuted;
}

/** Repeats what may be repeated and stops calling an address that keeps failing. One instance per address. */
export class Resilience {
  readonly #breaker;
  readonly #safe: IPolicy;
  readonly #creating: IPolicy;
  readonly #options: ResilienceOptions;

  constructor(options: ResilienceOptions) {
    this.#options = options;
    this.#breaker = circuitBreaker(
      handleWhen((error) => isVaultError(error) && SERVER_TROUBLE.has(error.code)),
      {
        breaker: new ConsecutiveBreaker(options.breakerThreshold),
        // Half open lets exactly one call through; the others wait for what it finds.
        halfOpenAfter: new ExponentialBackoff({
          initialDelay: options.breakerPauseMs,
          maxDelay: options.breakerPauseMs * 10,
        }),
      },
    );
    this.#safe = this.#retryPolicy(true);
    this.#creating = this.#retryPolicy(false);
  }

  get breaker(): 'closed' | 'open' | 'half-open' {
    const { state } = this.#breaker;
    return state === CircuitState.Closed ? 'closed' : state === CircuitState.HalfOpen ? 'half-open' : 'open';
  }

  async run<T>(traits: CallTraits, attempt: () => Promise<T>): Promise<T> {
    const { attempted, bypassBreaker, safe, signal } = traits;
    const retries = safe ? this.#safe : this.#creating;
    const policy = bypassBreaker ? retries : wrap(retries, this.#breaker);
    const guarded = async (): Promise<T> => {
      signal?.throwIfAborted();
      return attempt();
    };
    try {
      return await untilAborted(policy.execute(guarded), signal);
    } catch (error) {
      if (!(error instanceof BrokenCircuitError)) throw error;
      throw vaultFailure('breaker-open', attempted, 'recent calls to this address failed, this one was not sent', {
        maybeExecuted: false,
      });
    }
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

/** The policies do not end a wait when the caller gives up. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
