import { inspect } from 'node:util';
import { messageOf, NeuralHiveError, secondsLeft, sleep } from '../common/index.ts';
import { Dispatcher, type VaultCall } from './dispatch.ts';
import { callOf, type EngineContext } from './engines/context.ts';
import { type DatabaseEngine, databaseEngine } from './engines/database.ts';
import { type KvEngine, kvEngine } from './engines/kv.ts';
import { type PkiEngine, pkiEngine } from './engines/pki.ts';
import { type PlainKvEngine, plainKvEngine } from './engines/plain-kv.ts';
import { type ServerHealth, type SysEngine, sysEngine } from './engines/sys.ts';
import { type TransitEngine, transitEngine } from './engines/transit.ts';
import { type WrappingEngine, wrappingEngine } from './engines/wrapping.ts';
import type { VaultEnvelope } from './envelope.ts';
import { isVaultError, VaultError } from './errors.ts';
import type { Lease, LeaseOptions } from './lease/lease.ts';
import { LeaseRegistry } from './lease/lease-registry.ts';
import type { VaultObservation } from './observe.ts';
import { type ResolvedVaultOptions, resolveOptions, type VaultClientOptions } from './options.ts';
import { Resilience } from './resilience.ts';
import { repeatDelayMs } from './retry-delay.ts';
import { ServerNodes } from './server-node.ts';
import type { TokenRecord, VaultToken } from './token/token-record.ts';
import { type TokenReplaced, TokenSession } from './token/token-session.ts';

/** The state of a client, as its server and its token see it. */
export interface VaultHealth {
  /** `unhealthy`: no usable token or no usable server. `degraded`: the latest renewal or login failed. */
  readonly state: 'healthy' | 'degraded' | 'unhealthy';
  /** Undefined when the server could not be asked. */
  readonly server: ServerHealth | undefined;
  readonly breaker: 'closed' | 'open' | 'half-open';
  readonly tokenExpiresAtMs: number;
  readonly lastError?: string;
}

/** A token was replaced; whatever the old one owned has been handed over or is being so. */
export interface TokenReplacement {
  readonly generation: number;
  readonly reason: TokenReplaced['reason'];
}

/**
 * A client of one Vault or OpenBao server. It keeps itself logged in, keeps what it leases alive, and gives both
 * back at `close`.
 */
export class VaultClient {
  readonly leases: LeaseRegistry;
  readonly sys: SysEngine;
  readonly wrapping: WrappingEngine;
  readonly #options: ResolvedVaultOptions;
  readonly #nodes: ServerNodes;
  readonly #dispatcher: Dispatcher;
  readonly #session: TokenSession;
  readonly #context: EngineContext;
  readonly #tokenListeners = new Set<(event: TokenReplacement) => void>();
  readonly #giveUp = new AbortController();
  #unwatch: () => void = () => undefined;
  #stopWatching: () => void = () => undefined;
  #closing: Promise<void> | undefined;

  private constructor(options: ResolvedVaultOptions) {
    this.#options = options;
    const { clock, random, logger, metrics } = options;
    this.#nodes = new ServerNodes({ ...options, identity: options.auth.identity });
    this.#dispatcher = new Dispatcher({
      ...options,
      node: this.#nodes.first,
      redirectNode: (origin) => this.#nodes.at(origin),
      resilience: new Resilience(options),
    });
    this.#session = new TokenSession({
      ...options,
      send: (call, token) => this.#dispatcher.send(call, token, { bypassBreaker: true }),
      handOver: (event) => this.#handOver(event),
      leasesGone: (token) => this.leases.whenGone(token),
    });
    // Lease renewals have a backoff of their own, as logins do.
    const send = (call: VaultCall): Promise<VaultEnvelope> => this.#send(call, { bypassBreaker: true });
    this.leases = new LeaseRegistry({ send, clock, random, logger });
    this.leases.onChange((event) => metrics.leaseChanged(event));
    const call = callOf((request) => this.request(request));
    this.#context = { call, lease: (request, parse, leaseOptions) => this.#lease(request, parse, leaseOptions) };
    this.sys = sysEngine(this.#context, (request, acceptStatus) =>
      this.#dispatcher.send(request, undefined, { bypassBreaker: true, acceptStatus }),
    );
    this.wrapping = wrappingEngine(this.#context, (request, token) => this.#dispatcher.send(request, token));
  }

  /** Connects and logs in. Rejects at once when the login is refused, and after `openTimeoutMs` without a server. */
  static async open(options: VaultClientOptions): Promise<VaultClient> {
    const client = new VaultClient(resolveOptions(options));
    try {
      await client.#start(options.signal);
      client.#unwatch = client.#options.metrics.watchClient(() => client.#observe());
    } catch (error) {
      await client.destroy();
      throw error;
    }
    return client;
  }

  /** The token in use, without its secret. */
  get token(): VaultToken {
    return this.#session.current.snapshot();
  }

  /** The KV engine, version 2. */
  kv(mount = 'secret'): KvEngine {
    return kvEngine(this.#context, mount);
  }

  /** The KV engine, version 1. */
  kv1(mount = 'kv'): PlainKvEngine {
    return plainKvEngine(this.#context, mount, 'kv1');
  }

  /**
   * What only this token can read. It ends with the token, and so with the next login: never keep there what must
   * outlive it.
   */
  cubbyhole(): PlainKvEngine {
    return plainKvEngine(this.#context, 'cubbyhole', 'cubbyhole');
  }

  transit(mount = 'transit'): TransitEngine {
    return transitEngine(this.#context, mount);
  }

  database(mount = 'database'): DatabaseEngine {
    return databaseEngine(this.#context, mount);
  }

  pki(mount = 'pki'): PkiEngine {
    return pkiEngine(this.#context, mount);
  }

  /**
   * Any call, with the client's token. A 403 makes the client check its token once; when that is dead it logs in
   * once and repeats the call once. Leases made this way are the caller's to renew and revoke.
   */
  request(call: VaultCall): Promise<VaultEnvelope> {
    return this.#send(call);
  }

  /** Logs in anew, has everything re-leased, then revokes the old token. The path of a due replacement. */
  rotateToken(_reason: 'forced' = 'forced'): Promise<void> {
    return this.#session.replace('forced');
  }

  onTokenReplaced(listener: (event: TokenReplacement) => void): () => void {
    this.#tokenListeners.add(listener);
    return () => this.#tokenListeners.delete(listener);
  }

  /** Asks the server; never rejects. */
  async health(options: { signal?: AbortSignal } = {}): Promise<VaultHealth> {
    const breaker = this.#nodes.first.breaker.state;
    let server: ServerHealth | undefined;
    let lastError = this.#session.lastError;
    let tokenExpiresAtMs = 0;
    try {
      tokenExpiresAtMs = this.#session.current.expiresAtMs;
      server = await this.sys.health(options);
    } catch (error) {
      lastError = error;
    }
    const usable = server?.initialized === true && !server.sealed && tokenExpiresAtMs > this.#options.clock.now();
    const state = !usable ? 'unhealthy' : lastError === undefined ? 'healthy' : 'degraded';
    const shown = { state, server, breaker, tokenExpiresAtMs } as const;
    return lastError === undefined ? shown : { ...shown, lastError: messageOf(lastError) };
  }

  /** Revokes the leases, then the token if this client logged in for it. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close(true);
    return this.#closing;
  }

  /** Stops now; leases and token are left to end by themselves. Idempotent. */
  destroy(): Promise<void> {
    this.#giveUp.abort(new VaultError('closed', 'Closing the Vault client: cut short'));
    this.#closing ??= this.#close(false);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [inspect.custom](): string {
    return `VaultClient { ${this.#options.address.origin}, auth ${this.#options.auth.method} }`;
  }

  async #start(signal: AbortSignal | undefined): Promise<void> {
    const { clock, random, openTimeoutMs } = this.#options;
    const untilMs = clock.monotonicMs() + openTimeoutMs;
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.#session.start(signal);
        return this.#watchIdentity();
      } catch (error) {
        const remainingMs = untilMs - clock.monotonicMs();
        const passing = error instanceof NeuralHiveError && error.retryable;
        if (signal?.aborted || !passing || remainingMs <= 0) throw error;
        const delayMs = repeatDelayMs(attempt, { remainingMs, capMs: 5_000, random, baseMs: 200 });
        await sleep(Math.min(delayMs, remainingMs), { clock, signal });
      }
    }
  }

  /** A token that was had with a certificate is replaced when the certificate is. */
  #watchIdentity(): void {
    const { identity } = this.#options.auth;
    if (identity === undefined) return;
    const renew = (): void => {
      if (this.#nodes.renewCertificate()) void this.#session.certificateChanged();
    };
    this.#stopWatching = identity.onUpdate(renew);
    // It may have changed since the login.
    renew();
  }

  async #send(call: VaultCall, options: { bypassBreaker?: boolean } = {}, seen?: { by: TokenRecord }) {
    const token = this.#session.current;
    if (seen !== undefined) seen.by = token;
    try {
      return await token.use(() => this.#dispatcher.send(call, token.secret, options));
    } catch (error) {
      const final = call.once === true || !isVaultError(error, 'permission-denied');
      if (final || !(await this.#session.recover(token))) throw error;
    }
    const next = this.#session.current;
    if (seen !== undefined) seen.by = next;
    return next.use(() => this.#dispatcher.send(call, next.secret, options));
  }

  async #lease<T>(call: VaultCall, parse: (e: VaultEnvelope) => T, options: LeaseOptions): Promise<Lease<T>> {
    const seen = { by: this.#session.current };
    const issuedAtMs = this.#options.clock.now();
    const envelope = await this.#send(call, {}, seen);
    return this.leases.track(envelope, seen.by, parse(envelope), issuedAtMs, options);
  }

  #observe(): VaultObservation {
    const { clock } = this.#options;
    return {
      tokenTtlSeconds: secondsLeft(clock, this.#session.current.expiresAtMs),
      breaker: this.#nodes.first.breaker.state,
      leases: this.leases
        .list()
        .map(({ state, expiresAtMs }) => ({ state, ttlSeconds: secondsLeft(clock, expiresAtMs) })),
    };
  }

  async #handOver({ previous, next, reason, previousAlive }: TokenReplaced): Promise<void> {
    this.#options.metrics.tokenReplaced(reason);
    for (const listener of [...this.#tokenListeners]) {
      try {
        listener({ generation: next.generation, reason });
      } catch (error) {
        this.#options.logger.error({ cause: messageOf(error) }, 'a token listener threw');
      }
    }
    await this.leases.handOver(previous, previousAlive);
  }

  async #close(revoke: boolean): Promise<void> {
    this.#unwatch();
    const { clock, closeTimeoutMs } = this.#options;
    const { signal } = this.#giveUp;
    this.#stopWatching();
    const limit = new VaultError('closed', 'Closing the Vault client: the time limit is over');
    const timer = clock.setTimer(closeTimeoutMs, () => this.#giveUp.abort(limit));
    try {
      await this.leases.close({ revoke, signal });
      await this.#session.close({ revoke, signal });
    } finally {
      timer.cancel();
      await this.#nodes.destroy();
    }
  }
}
