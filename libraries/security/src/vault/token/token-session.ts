import { type Clock, messageOf, type Random, type Secret, sleep, type Timer, TimerQueue } from '../../common/index.ts';
import type { VaultAuth } from '../auth/auth.ts';
import type { VaultCall } from '../dispatch.ts';
import type { VaultEnvelope } from '../envelope.ts';
import { isVaultError, VaultError, type VaultErrorCode } from '../errors.ts';
import { extendedFully, hardPointMs, renewalPointMs } from '../lifetime.ts';
import type { Logger, VaultMetrics } from '../observe.ts';
import { repeatDelayMs, spreadDelayMs } from '../retry-delay.ts';
import { lookupSelf, renewSelf, revokeSelf, type SendWithToken } from './token-calls.ts';
import { TokenRecord, type TokenReplacementReason } from './token-record.ts';

export interface TokenReplaced {
  readonly previous: TokenRecord;
  readonly next: TokenRecord;
  readonly reason: TokenReplacementReason;
  /** Whether the previous token, and so its leases, still hold. */
  readonly previousAlive: boolean;
}

export interface TokenSessionOptions {
  readonly auth: VaultAuth;
  readonly send: (call: VaultCall, token: Secret<string> | undefined) => Promise<VaultEnvelope>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: VaultMetrics | undefined;
  /** What must be left of a token when it is replaced, for re-leasing and draining. */
  readonly handOverMs: number;
  readonly loginBackoffCapMs: number;
  /** Re-leases what the previous token owns. The previous token is revoked after it. */
  readonly handOver: (event: TokenReplaced) => Promise<void>;
  /** Resolves when no lease of the token is left; undefined when there is none now. */
  readonly leasesGone: (token: TokenRecord) => Promise<void> | undefined;
}

/** After these a renewal will not succeed later either. */
const RENEWAL_REFUSED = new Set<VaultErrorCode>([
  'permission-denied',
  'invalid-request',
  'lease-not-found',
  'not-found',
  'unsupported-operation',
]);

/** A 403 that turned out to be the policy's is not looked into again for this long. */
const ALIVE_FOR_MS = 5_000;

/**
 * The token of a client: renewed while that extends it, replaced by a new login before it ends. The order of a
 * replacement is: log in, hand over what the old token owns, revoke the old token.
 */
export class TokenSession {
  readonly #options: TokenSessionOptions;
  readonly #stop = new AbortController();
  #current: TokenRecord | undefined;
  readonly #timers: TimerQueue;
  #timer: Timer | undefined;
  #firstPoint = true;
  #login: Promise<TokenRecord> | undefined;
  #replacement: Promise<void> | undefined;
  #confirmation: Promise<'alive' | 'dead' | 'unknown'> | undefined;
  #aliveUntilMs = Number.NEGATIVE_INFINITY;
  #loginFailures = 0;
  #nextLoginAtMs = Number.NEGATIVE_INFINITY;
  #lastError: unknown;
  readonly #handOvers = new WeakMap<TokenRecord, Promise<void>>();

  constructor(options: TokenSessionOptions) {
    this.#options = options;
    this.#timers = new TimerQueue({ clock: options.clock });
  }

  get current(): TokenRecord {
    if (this.#current === undefined || this.#stop.signal.aborted) {
      throw new VaultError('closed', 'Using the Vault client: it is closed; open another', { maybeExecuted: false });
    }
    return this.#current;
  }

  /** The failure of the latest renewal or login; undefined when it succeeded. */
  get lastError(): unknown {
    return this.#lastError;
  }

  async start(signal: AbortSignal | undefined): Promise<void> {
    this.#adopt(await this.#logIn(signal));
  }

  /** Logs in anew now, hands over, revokes the old token. Rejects when the login fails; the old token then stays. */
  async replace(reason: TokenReplacementReason): Promise<void> {
    if (!this.#options.auth.issues) {
      throw new VaultError(
        'token-not-replaceable',
        'Replacing the token: it was handed in from outside; use an auth method that logs in',
        { maybeExecuted: false },
      );
    }
    this.#replacement ??= this.#replace(reason, true).finally(() => {
      this.#replacement = undefined;
    });
    return this.#replacement;
  }

  /**
   * After a 403: whether the call should be repeated because the token it used is dead and another is here now.
   * Looks the token up and logs in at most once however many calls ask.
   */
  async recover(used: TokenRecord): Promise<boolean> {
    if (used !== this.current) return true;
    const { clock, auth } = this.#options;
    if (clock.monotonicMs() < this.#aliveUntilMs) return false;
    this.#confirmation ??= this.#confirm(used).finally(() => {
      this.#confirmation = undefined;
    });
    if ((await this.#confirmation) !== 'dead') return false;
    if (used !== this.#current) return true;
    if (!auth.issues || clock.monotonicMs() < this.#nextLoginAtMs) return false;
    try {
      // The calls that wait need the login only; the hand-over goes on behind them.
      await this.#takeOver(used, 'lost', false);
      return true;
    } catch {
      if (used === this.#current) this.#logInLater(used, 'lost');
      return false;
    }
  }

  /**
   * The certificate the token was had with is another one now. The server renews a token for the same certificate
   * only, so the old token stays as it is, until a login with the new one has taken over.
   */
  async certificateChanged(): Promise<void> {
    // A login that is under way may show the old certificate still.
    await this.#replacement?.catch(() => undefined);
    await this.#login?.catch(() => undefined);
    const record = this.#current;
    if (record === undefined || this.#stop.signal.aborted) return;
    record.renewable = false;
    await this.#replaceUntilDone(record, 'certificate-rotated');
  }

  /** Stops the timers and ends the token if this session logged in for it. */
  async close({ revoke, signal }: { revoke: boolean; signal?: AbortSignal }): Promise<void> {
    const record = this.#current;
    this.#timer?.cancel();
    this.#stop.abort(new VaultError('closed', 'The Vault client was closed', { maybeExecuted: false }));
    if (revoke && record !== undefined) await this.#revoke(record, signal);
  }

  async #confirm(used: TokenRecord): Promise<'alive' | 'dead' | 'unknown'> {
    try {
      await lookupSelf(this.#sendWith(used), used.secret, this.#stop.signal);
      this.#aliveUntilMs = this.#options.clock.monotonicMs() + ALIVE_FOR_MS;
      return 'alive';
    } catch (error) {
      return isVaultError(error, 'permission-denied') ? 'dead' : 'unknown';
    }
  }

  async #takeOver(previous: TokenRecord, reason: TokenReplacementReason, previousAlive: boolean): Promise<void> {
    const next = await this.#logIn(this.#stop.signal);
    // Another path that shared the login was here first.
    if (this.#current !== previous) return;
    previous.retired = true;
    this.#adopt(next);
    this.#options.logger.info(
      { reason, generation: next.generation, accessor: next.accessor },
      'logged in to Vault anew',
    );
    const handOver = this.#options.handOver({ previous, next, reason, previousAlive });
    this.#handOvers.set(
      previous,
      handOver.catch(() => undefined),
    );
  }

  async #replace(reason: TokenReplacementReason, previousAlive: boolean): Promise<void> {
    const previous = this.current;
    await this.#takeOver(previous, reason, previousAlive);
    await this.#handOvers.get(previous);
    await this.#retire(previous);
  }

  /** The old token goes last. */
  async #retire(record: TokenRecord): Promise<void> {
    const { clock, leasesGone } = this.#options;
    const leases = leasesGone(record);
    if (leases === undefined) {
      await record.unused();
      return this.#revoke(record);
    }
    // Nobody re-leased these; the token ends with the last of them, or by itself.
    const ends = sleep(Math.max(0, record.expiresAtMs - clock.now()), { clock, signal: this.#stop.signal });
    void Promise.race([leases, ends])
      .then(() => record.unused())
      .catch(() => undefined)
      .then(() => this.#revoke(record));
  }

  async #revoke(record: TokenRecord, signal?: AbortSignal): Promise<void> {
    if (!this.#options.auth.issues || record.type === 'batch' || record.expiresAtMs <= this.#options.clock.now())
      return;
    try {
      await revokeSelf(this.#sendWith(record), signal);
    } catch (error) {
      // A token that is dead already is what was wanted.
      if (isVaultError(error, 'permission-denied')) return;
      this.#options.logger.warn(
        { accessor: record.accessor, cause: messageOf(error) },
        'a Vault token was not revoked',
      );
    }
  }

  /** One login for everybody who needs one. */
  #logIn(signal: AbortSignal | undefined): Promise<TokenRecord> {
    this.#login ??= this.#performLogin(signal).finally(() => {
      this.#login = undefined;
    });
    return this.#login;
  }

  async #performLogin(signal: AbortSignal | undefined): Promise<TokenRecord> {
    const { auth, clock, send, random, loginBackoffCapMs } = this.#options;
    const issuedAtMs = clock.now();
    try {
      const block = await auth.login({ send: (call, token) => send(call, token), signal });
      this.#loginFailures = 0;
      this.#lastError = undefined;
      return new TokenRecord({
        secret: block.token,
        accessor: block.accessor,
        type: block.type,
        generation: (this.#current?.generation ?? 0) + 1,
        issuedAtMs,
        lifetimeMs: block.leaseSeconds === 0 ? Number.POSITIVE_INFINITY : block.leaseSeconds * 1_000,
        renewable: block.renewable,
      });
    } catch (error) {
      this.#lastError = error;
      const remainingMs = (this.#current?.expiresAtMs ?? 0) - issuedAtMs;
      const delayMs = repeatDelayMs(this.#loginFailures, { remainingMs, capMs: loginBackoffCapMs, random });
      this.#loginFailures += 1;
      this.#nextLoginAtMs = clock.monotonicMs() + delayMs;
      throw error;
    }
  }

  #adopt(record: TokenRecord): void {
    this.#current = record;
    this.#aliveUntilMs = Number.NEGATIVE_INFINITY;
    this.#schedule(record);
  }

  /** Sets the one timer to the next renewal point. */
  #schedule(record: TokenRecord): void {
    const { clock, random, handOverMs } = this.#options;
    this.#timer?.cancel();
    if (this.#stop.signal.aborted || record.expiresAtMs === Number.POSITIVE_INFINITY) return;
    const atMs = renewalPointMs(record, { first: this.#firstPoint, reserveMs: handOverMs, random });
    this.#firstPoint = false;
    this.#timer = this.#timers.setTimer(Math.max(0, atMs - clock.now()), () => void this.#act(record));
  }

  async #act(record: TokenRecord): Promise<void> {
    if (record !== this.#current || this.#stop.signal.aborted) return;
    const { clock } = this.#options;
    if (record.expiresAtMs <= clock.now()) return this.#replaceUntilDone(record, 'expired');
    if (!record.renewable) return this.#replaceUntilDone(record, 'due');
    return this.#renew(record);
  }

  async #renew(record: TokenRecord): Promise<void> {
    const { auth, clock, metrics, random, logger, handOverMs } = this.#options;
    const stop = this.#stop.signal;
    const askedAtMs = clock.now();
    // A token that nobody can replace is renewed as long as it lives.
    const hardMs = auth.issues ? hardPointMs(record, handOverMs) : record.expiresAtMs;
    const giveUp = (): void => void this.#replaceUntilDone(record, 'overdue');
    if (hardMs > askedAtMs) this.#arm(hardMs - askedAtMs, record, giveUp);
    try {
      const { leaseSeconds, renewable } = await renewSelf(this.#sendWith(record), stop);
      metrics?.tokenRenewal('success');
      this.#lastError = undefined;
      const renewedMs = leaseSeconds * 1_000;
      const full = extendedFully(renewedMs, record.lifetimeMs);
      record.issuedAtMs = askedAtMs;
      record.expiresAtMs = askedAtMs + renewedMs;
      record.lifetimeMs = Math.max(record.lifetimeMs, renewedMs);
      record.renewable = renewable;
      if (!full) return await this.#replaceUntilDone(record, 'max-ttl');
      if (record === this.#current) this.#schedule(record);
    } catch (error) {
      if (stop.aborted || record !== this.#current) return;
      metrics?.tokenRenewal('failure');
      this.#lastError = error;
      logger.warn({ accessor: record.accessor, cause: messageOf(error) }, 'renewing the Vault token failed');
      if (isVaultError(error) && RENEWAL_REFUSED.has(error.code)) {
        return this.#replaceUntilDone(record, 'renewal-refused');
      }
      const nowMs = clock.now();
      const remainingMs = record.expiresAtMs - nowMs;
      if (remainingMs <= 0) return this.#replaceUntilDone(record, 'expired');
      if (hardMs <= nowMs) return this.#replaceUntilDone(record, 'overdue');
      // The last try is at the hard point itself.
      const leftMs = hardMs - nowMs;
      const delayMs = Math.min(spreadDelayMs({ remainingMs: leftMs, random }), leftMs);
      this.#arm(delayMs, record, () => void this.#renew(record));
    }
  }

  /** Sets the one timer, for as long as `record` is the token in use. */
  #arm(delayMs: number, record: TokenRecord, act: () => void): void {
    this.#timer?.cancel();
    if (this.#stop.signal.aborted) return;
    this.#timer = this.#timers.setTimer(delayMs, () => {
      if (record === this.#current) act();
    });
  }

  async #replaceUntilDone(record: TokenRecord, reason: TokenReplacementReason): Promise<void> {
    const { auth, clock, logger } = this.#options;
    if (!auth.issues) {
      logger.error(
        { accessor: record.accessor, reason, endsInMs: record.expiresAtMs - clock.now() },
        'the Vault token will end',
      );
      return;
    }
    try {
      const previousAlive = reason !== 'lost' && record.expiresAtMs > clock.now();
      this.#replacement ??= this.#replace(reason, previousAlive).finally(() => {
        this.#replacement = undefined;
      });
      await this.#replacement;
    } catch (error) {
      if (this.#stop.signal.aborted || record !== this.#current) return;
      logger.warn({ reason, cause: messageOf(error) }, 'logging in to Vault failed; the old token stays in use');
      this.#logInLater(record, reason);
    }
  }

  #logInLater(record: TokenRecord, reason: TokenReplacementReason): void {
    const { clock } = this.#options;
    this.#timer?.cancel();
    this.#timer = this.#timers.setTimer(Math.max(0, this.#nextLoginAtMs - clock.monotonicMs()), () => {
      if (record === this.#current) void this.#replaceUntilDone(record, reason);
    });
  }

  #sendWith(record: TokenRecord): SendWithToken {
    return (call) => this.#options.send(call, record.secret);
  }
}
