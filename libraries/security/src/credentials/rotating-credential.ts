import { type Clock, messageOf, type Random, secondsLeft, sleep, systemClock, type Timer } from '../common/index.ts';
import { type Logger, repeatDelayMs, silentLogger, spreadDelayMs } from '../vault/index.ts';
import type {
  CredentialConsumer,
  CredentialProvider,
  Generation,
  Issued,
  RotationOutcome,
  RotationReason,
} from './credential.ts';
import { type CredentialMetrics, credentialReport } from './credential-metrics.ts';
import { CredentialError, type CredentialErrorCode } from './errors.ts';

export interface RotatingCredentialOptions<T> {
  readonly provider: CredentialProvider<T>;
  /** Tries a candidate before it is published, besides what the consumers try themselves. */
  readonly probe?: (candidate: Generation<T>, options: { readonly signal: AbortSignal }) => Promise<void>;
  /** How long users of an old generation may finish their work. In milliseconds, 0 or more; default 15 000. */
  readonly drainTimeoutMs?: number;
  /** How long before the old credential's end its last session must be gone. In milliseconds; default 2 000. */
  readonly drainMarginMs?: number;
  /** The longest wait between failed rotations. In milliseconds; default 30 000. */
  readonly backoffCapMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
  readonly metrics?: CredentialMetrics;
  readonly signal?: AbortSignal;
}

/** One generation together with what keeps it alive. */
class LiveGeneration<T> implements Generation<T> {
  readonly generation: number;
  readonly issued: Issued<T>;

  constructor(generation: number, issued: Issued<T>) {
    this.generation = generation;
    this.issued = issued;
  }

  get value(): T {
    return this.issued.value;
  }

  get issuedAtMs(): number {
    return this.issued.issuedAtMs;
  }

  get expiresAtMs(): number {
    return this.issued.expiresAtMs;
  }
}

/** Under a short deadline a rotation still gets this long, so that a burst of work can end. */
const LEAST_DRAIN_MS = 250;
/** What still uses the credential when it is closed gets this long, or the drain time when that is shorter. */
const CLOSE_DRAIN_MS = 5_000;
const REVOKE_TRIES = 4;

/**
 * A secret that changes under live clients. A rotation obtains, probes, publishes, drains and revokes, in this order;
 * a step that fails before publishing leaves the old generation in use. Rotations run one after another, whatever
 * caused them.
 */
export class RotatingCredential<T> {
  readonly #provider: CredentialProvider<T>;
  readonly #probe: RotatingCredentialOptions<T>['probe'];
  readonly #drainTimeoutMs: number;
  readonly #drainMarginMs: number;
  readonly #backoffCapMs: number;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #report: ReturnType<typeof credentialReport>;
  readonly #stop = new AbortController();
  readonly #consumers = new Set<CredentialConsumer<T>>();
  readonly #listeners = new Set<(outcome: RotationOutcome) => void>();
  #current: LiveGeneration<T> | undefined;
  #stopWatching: () => void = () => undefined;
  #unwatch: () => void = () => undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #retry: Timer | undefined;
  #closing: Promise<void> | undefined;
  #lastError: unknown;

  private constructor(options: RotatingCredentialOptions<T>) {
    this.#provider = options.provider;
    this.#probe = options.probe;
    this.#drainTimeoutMs = atLeastZero(options.drainTimeoutMs, 'drainTimeoutMs', 15_000);
    this.#drainMarginMs = atLeastZero(options.drainMarginMs, 'drainMarginMs', 2_000);
    this.#backoffCapMs = atLeastZero(options.backoffCapMs, 'backoffCapMs', 30_000);
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#logger = options.logger ?? silentLogger;
    this.#report = credentialReport(options.metrics);
  }

  /** Obtains and probes the first generation. */
  static async open<T>(options: RotatingCredentialOptions<T>): Promise<RotatingCredential<T>> {
    const credential = new RotatingCredential<T>(options);
    const { signal } = options;
    const stop = credential.#stop;
    const onAbort = (): void => stop.abort(signal?.reason);
    if (signal?.aborted) throw signal.reason;
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const issued = await credential.#provider.obtain({
        signal: stop.signal,
        reserveMs: credential.#reserveMs,
        first: true,
      });
      const first = new LiveGeneration(1, issued);
      try {
        await credential.#probe?.(first, { signal: stop.signal });
      } catch (error) {
        await issued.revoke().catch(() => undefined);
        throw error;
      }
      credential.#adopt(first);
      credential.#warnWhenShort(first);
      credential.#watchLife();
      return credential;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  get name(): string {
    return this.#provider.name;
  }

  /** The generation that new work uses. */
  current(): Generation<T> {
    if (this.#current === undefined || this.#closing !== undefined) throw this.#failure('closed', 'it was closed');
    return this.#current;
  }

  /** The failure of the latest rotation; undefined when it succeeded. */
  get lastError(): unknown {
    return this.#lastError;
  }

  /** Has `consumer` take part in every rotation from now on. The returned function ends that. */
  attach(consumer: CredentialConsumer<T>): () => void {
    this.#consumers.add(consumer);
    return () => this.#consumers.delete(consumer);
  }

  onRotation(listener: (outcome: RotationOutcome) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Rotates now, after rotations that are already under way. Resolves when the old generation is drained and revoked,
   * or, with `ok` false, when a step failed and the old generation stays.
   */
  rotate(reason: RotationReason = 'forced'): Promise<RotationOutcome> {
    const outcome = this.#queue.then(() => this.#rotateAndReport(reason));
    this.#queue = outcome.catch(() => undefined);
    return outcome;
  }

  /** Waits for a rotation under way, has the consumers drained, revokes the credential. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown(true);
    return this.#closing;
  }

  /** Stops now and leaves the credential to end by itself. Idempotent. */
  destroy(): Promise<void> {
    this.#closing ??= this.#shutDown(false);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Half of a life must be left for the use of a credential, else every rotation is pressed for time. */
  #warnWhenShort({ issuedAtMs, expiresAtMs }: Generation<T>): void {
    const lifeMs = expiresAtMs - issuedAtMs;
    if (lifeMs >= 2 * this.#reserveMs) return;
    const fields = { name: this.name, lifeMs, drainTimeoutMs: this.#drainTimeoutMs };
    this.#logger.warn(fields, 'the credential lives for less than twice the drain time: give the role a longer TTL');
  }

  #watchLife(): void {
    this.#unwatch = this.#report.watchCredential(this.name, () =>
      secondsLeft(this.#clock, this.#current?.expiresAtMs ?? Number.POSITIVE_INFINITY),
    );
  }

  get #reserveMs(): number {
    return this.#drainTimeoutMs + this.#drainMarginMs;
  }

  async #shutDown(revoke: boolean): Promise<void> {
    this.#retry?.cancel();
    this.#stopWatching();
    this.#unwatch();
    this.#stop.abort(this.#failure('closed', 'it was closed'));
    await this.#queue;
    this.#stopWatching();
    if (!revoke || this.#current === undefined) return;
    // A pool says that it has ended before its sockets have: revoking now would end them with an error.
    await this.#drain(
      this.#current,
      [...this.#consumers],
      new AbortController().signal,
      Math.min(this.#drainTimeoutMs, CLOSE_DRAIN_MS),
    );
    // It ends with its lease all the same, and the owner has more to close.
    await this.#revoke(this.#current);
  }

  #adopt(generation: LiveGeneration<T>): void {
    this.#stopWatching();
    this.#retry?.cancel();
    this.#current = generation;
    this.#stopWatching =
      generation.issued.onSuperseded?.((reason) => this.#replaceSuperseded(generation, reason, 0)) ?? (() => undefined);
  }

  /** A generation that has to go is tried again until another is in place. Resolves after the first try. */
  async #replaceSuperseded(generation: LiveGeneration<T>, reason: RotationReason, attempt: number): Promise<void> {
    if (this.#current !== generation || this.#stop.signal.aborted) return;
    const work = this.#queue.then(async () => {
      // A rotation that was under way has replaced it already.
      if (this.#current !== generation) return;
      const { ok } = await this.#rotateAndReport(reason);
      if (ok || this.#stop.signal.aborted) return;
      const delayMs = this.#retryDelayMs(generation, reason, attempt);
      this.#retry?.cancel();
      this.#retry = this.#clock.setTimer(delayMs, () => {
        void this.#replaceSuperseded(generation, reason, attempt + 1);
      });
    });
    this.#queue = work.catch(() => undefined);
    await work;
  }

  /** While the old generation serves, there is time; without one, every second is an outage. */
  #retryDelayMs({ expiresAtMs }: LiveGeneration<T>, reason: RotationReason, attempt: number): number {
    const random = this.#random;
    const remainingMs = expiresAtMs - this.#drainMarginMs - this.#clock.now();
    const serves = remainingMs > 0 && remainingMs !== Number.POSITIVE_INFINITY && reason !== 'lost';
    if (serves) return spreadDelayMs({ remainingMs, random });
    return repeatDelayMs(attempt, { remainingMs: 0, capMs: this.#backoffCapMs, random });
  }

  async #rotateAndReport(reason: RotationReason): Promise<RotationOutcome> {
    const startedAtMs = this.#clock.now();
    const startedMs = this.#clock.monotonicMs();
    const base = { name: this.name, reason, startedAtMs };
    let outcome: RotationOutcome;
    try {
      outcome = { ...base, ...(await this.#rotate()), ok: true };
      this.#lastError = undefined;
    } catch (error) {
      this.#lastError = error;
      const generation = this.#current?.generation ?? 0;
      outcome = { ...base, generation, publishedAtMs: 0, drainedAtMs: 0, terminated: 0, ok: false, error };
      this.#logger.warn({ name: this.name, reason, cause: messageOf(error) }, 'a rotation failed; the old one stays');
    }
    this.#report.rotation(outcome, this.#clock.monotonicMs() - startedMs);
    for (const listener of [...this.#listeners]) {
      try {
        listener(outcome);
      } catch (error) {
        this.#logger.error({ name: this.name, cause: messageOf(error) }, 'a rotation listener threw');
      }
    }
    return outcome;
  }

  async #rotate(): Promise<Pick<RotationOutcome, 'generation' | 'publishedAtMs' | 'drainedAtMs' | 'terminated'>> {
    const previous = this.#current;
    if (previous === undefined || this.#stop.signal.aborted) throw this.#failure('closed', 'it was closed');
    const next = await this.#obtain(previous.generation + 1);
    const consumers = [...this.#consumers];
    try {
      await this.#probeWith(next, consumers);
      await this.#publish(previous, next, consumers);
    } catch (error) {
      await Promise.allSettled(consumers.map((consumer) => consumer.discard?.(next)));
      await next.issued.revoke().catch(() => undefined);
      throw error;
    }
    const publishedAtMs = this.#clock.now();
    const terminated = await this.#drain(previous, consumers, this.#stop.signal, this.#drainTimeoutMs);
    const drainedAtMs = this.#clock.now();
    await this.#revoke(previous);
    return { generation: next.generation, publishedAtMs, drainedAtMs, terminated };
  }

  async #obtain(generation: number): Promise<LiveGeneration<T>> {
    const { signal } = this.#stop;
    try {
      const options = { signal, reserveMs: this.#reserveMs, first: false };
      return new LiveGeneration(generation, await this.#provider.obtain(options));
    } catch (error) {
      throw this.#failure('obtain-failed', messageOf(error), error);
    }
  }

  async #probeWith(next: LiveGeneration<T>, consumers: readonly CredentialConsumer<T>[]): Promise<void> {
    const { signal } = this.#stop;
    try {
      await this.#probe?.(next, { signal });
      await Promise.all(consumers.map((consumer) => consumer.probe?.(next, { signal })));
    } catch (error) {
      throw this.#failure('probe-failed', messageOf(error), error);
    }
  }

  async #publish(
    previous: LiveGeneration<T>,
    next: LiveGeneration<T>,
    consumers: readonly CredentialConsumer<T>[],
  ): Promise<void> {
    const published: CredentialConsumer<T>[] = [];
    try {
      // A connection opened from here on reads the new generation, before its pool has heard of it.
      this.#current = next;
      for (const consumer of consumers) {
        await consumer.publish(next);
        published.push(consumer);
      }
    } catch (error) {
      this.#current = previous;
      await Promise.allSettled(published.map(async (consumer) => consumer.publish(previous)));
      throw this.#failure('publish-failed', messageOf(error), error);
    }
    this.#adopt(next);
  }

  async #drain(
    previous: LiveGeneration<T>,
    consumers: readonly CredentialConsumer<T>[],
    signal: AbortSignal,
    timeoutMs: number,
  ): Promise<number> {
    const nowMs = this.#clock.now();
    const latestMs = Math.max(nowMs + LEAST_DRAIN_MS, previous.expiresAtMs - this.#drainMarginMs);
    const options = { deadlineMs: Math.min(nowMs + timeoutMs, latestMs), signal };
    const results = await Promise.allSettled(consumers.map(async (consumer) => consumer.drain(previous, options)));
    let terminated = 0;
    for (const result of results) {
      if (result.status === 'fulfilled') terminated += result.value.terminated;
      else this.#logger.warn({ name: this.name, cause: messageOf(result.reason) }, 'draining a consumer failed');
    }
    return terminated;
  }

  /** Not being able to revoke does not undo the rotation: the credential ends with its lease. */
  async #revoke(previous: LiveGeneration<T>): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await previous.issued.revoke();
      } catch (error) {
        this.#logger.warn({ name: this.name, cause: messageOf(error) }, 'revoking an old credential failed');
        const remainingMs = previous.expiresAtMs - this.#clock.now();
        if (attempt + 1 >= REVOKE_TRIES || remainingMs <= 0 || this.#stop.signal.aborted) return;
        const delayMs = repeatDelayMs(attempt, { remainingMs, capMs: 2_000, random: this.#random });
        await sleep(delayMs, { clock: this.#clock, signal: this.#stop.signal }).catch(() => undefined);
      }
    }
  }

  #failure(code: CredentialErrorCode, rule: string, cause?: unknown): CredentialError {
    const message = `Rotating ${this.name}: ${rule}`;
    return new CredentialError(code, message, { cause, retryable: code !== 'closed' });
  }
}

function atLeastZero(value: number | undefined, option: string, fallback: number): number {
  if (value === undefined) return fallback;
  if (!Number.isFinite(value) || value < 0) throw new RangeError(`${option}: must be a number of 0 or more`);
  return value;
}
