import {
  type Clock,
  isNonProduction,
  type Logger,
  messageOf,
  NON_PRODUCTION,
  type Random,
  silentLogger,
  sleep,
  systemClock,
  withSignal,
} from '../common/index.ts';
import { VaultError } from './errors.ts';
import { repeatDelayMs } from './retry-delay.ts';

/** Where it is counted that a service goes on without Vault. */
export interface FailOpenMetrics {
  /** An attempt failed and the service goes on without. */
  failedOpen(): void;
}

interface Closable {
  close(): Promise<void>;
}

export interface FailOpenOptions<Client extends Closable> {
  /** Opens the client, for instance `VaultClient.open`. */
  readonly open: (options: { readonly signal: AbortSignal }) => Promise<Client>;
  /** Where this runs: `development`, `dev`, `local` or `test`. Anywhere else, or nowhere, it is refused. */
  readonly environment: string | undefined;
  /** The longest wait between attempts. In milliseconds, from 200; default 30 000. */
  readonly retryCapMs?: number;
  readonly metrics?: FailOpenMetrics;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
}

/**
 * A client that may be missing: for a laptop on which Vault is not there yet. Outside production only; it says so at each
 * attempt, counts it, is never healthy without the client, and tries until it has one.
 */
export class FailOpen<Client extends Closable> {
  readonly #options: FailOpenOptions<Client>;
  readonly #stop = new AbortController();
  readonly #ready: Promise<Client>;
  #client: Client | undefined;
  #lastError: unknown;

  private constructor(options: FailOpenOptions<Client>, opened: Client | undefined, lastError: unknown) {
    this.#options = options;
    this.#client = opened;
    this.#lastError = lastError;
    this.#ready = opened === undefined ? this.#keepTrying() : Promise.resolve(opened);
    this.#ready.catch(() => undefined);
  }

  /**
   * Resolves after the first attempt, whatever came of it.
   * @throws VaultError `fail-open-refused` where it is not admitted, before anything is tried
   */
  static async open<Client extends Closable>(options: FailOpenOptions<Client>): Promise<FailOpen<Client>> {
    const { environment, retryCapMs = 30_000 } = options;
    if (!Number.isFinite(retryCapMs) || retryCapMs < 200) throw new RangeError('retryCapMs: must be 200 or more');
    if (!isNonProduction(environment)) {
      const where = environment === undefined || environment === '' ? 'an environment without a name' : environment;
      const message = `Going on without Vault is refused in ${where}: only ${[...NON_PRODUCTION].join(', ')} admit it`;
      throw new VaultError('fail-open-refused', message, { maybeExecuted: false });
    }
    try {
      return new FailOpen(options, await options.open({ signal: new AbortController().signal }), undefined);
    } catch (error) {
      report(options, error);
      return new FailOpen<Client>(options, undefined, error);
    }
  }

  /** The client, or undefined as long as there is none. */
  get(): Client | undefined {
    return this.#client;
  }

  /** Why there is none; undefined once there is one. */
  get lastError(): unknown {
    return this.#lastError;
  }

  /** Waits for the client. */
  whenReady({ signal }: { readonly signal?: AbortSignal } = {}): Promise<Client> {
    return withSignal(this.#ready, signal);
  }

  /** Stops trying, and closes the client if there is one. Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort(new VaultError('closed', 'Waiting for Vault: given up, it was closed'));
    await this.#ready.catch(() => undefined);
    await this.#client?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #keepTrying(): Promise<Client> {
    const { open, clock = systemClock, random = Math.random, retryCapMs: capMs = 30_000 } = this.#options;
    const { logger = silentLogger } = this.#options;
    const { signal } = this.#stop;
    for (let attempt = 0; ; attempt += 1) {
      await sleep(repeatDelayMs(attempt, { remainingMs: 0, capMs, random }), { clock, signal });
      try {
        this.#client = await open({ signal });
        this.#lastError = undefined;
        logger.info({ attempts: attempt + 2 }, 'Vault is there now');
        return this.#client;
      } catch (error) {
        signal.throwIfAborted();
        this.#lastError = error;
        report(this.#options, error);
      }
    }
  }
}

function report({ logger = silentLogger, metrics, environment }: FailOpenOptions<Closable>, error: unknown): void {
  metrics?.failedOpen();
  logger.warn({ environment, cause: messageOf(error) }, 'VAULT_FAIL_OPEN: Vault cannot be used; going on without it');
}
