import {
  BrokenCircuitError,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
} from 'cockatiel';
import { isVaultError, type VaultErrorCode } from './errors.ts';
import { vaultFailure } from './failure.ts';

export interface BreakerOptions {
  /** Failures in a row that open the breaker. */
  readonly breakerThreshold: number;
  /** The first pause of an open breaker; it doubles up to ten times this. In milliseconds. */
  readonly breakerPauseMs: number;
}

/** What says something about the address. A refusal, a rate limit or the caller's own limit does not. */
const SERVER_TROUBLE = new Set<VaultErrorCode>([
  'sealed',
  'standby',
  'uninitialized',
  'unavailable',
  'timeout',
  'network',
  'tls',
]);

/** Stops calling an address that keeps failing. One instance an address. */
export class Breaker {
  readonly #policy;

  constructor(options: BreakerOptions) {
    this.#policy = circuitBreaker(
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
  }

  get state(): 'closed' | 'open' | 'half-open' {
    const { state } = this.#policy;
    return state === CircuitState.Closed ? 'closed' : state === CircuitState.HalfOpen ? 'half-open' : 'open';
  }

  async guard<T>(attempted: string, work: () => Promise<T>): Promise<T> {
    try {
      return await this.#policy.execute(work);
    } catch (error) {
      if (!(error instanceof BrokenCircuitError)) throw error;
      throw vaultFailure('breaker-open', attempted, 'recent calls to this address failed, this one was not sent', {
        maybeExecuted: false,
      });
    }
  }
}
