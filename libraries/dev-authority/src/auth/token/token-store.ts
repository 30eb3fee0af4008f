import type { Clock } from '@neural-hive/security/common';
import type { AuditEvents } from '../../audit/audit-log.ts';
import { invalid } from '../../fault.ts';
import { Deadlines } from '../../lease/deadlines.ts';
import type { LeaseStore } from '../../lease/lease-store.ts';
import { renewedTtl } from '../../lease/ttl.ts';
import { randomText } from '../../random-text.ts';
import type { StateSection } from '../../state/journal.ts';

export interface Token {
  readonly id: string;
  readonly accessor: string;
  /** Accessor of the token that made it; `null` for an orphan. */
  readonly parent: string | null;
  readonly policies: readonly string[];
  readonly path: string;
  readonly displayName: string;
  readonly meta: Readonly<Record<string, string>> | null;
  readonly entityId: string;
  readonly issuedAtMs: number;
  /** Of creation, and the default of a renewal; 0 for a token that never ends. */
  readonly ttlSeconds: number;
  /** Counted from the issue; 0 for none. */
  readonly maxTtlSeconds: number;
  readonly explicitMaxTtlSeconds: number;
  readonly periodSeconds: number;
  readonly renewable: boolean;
  expiresAtMs: number | null;
  lastRenewalMs: number | null;
  /** Requests left; 0 for any number. */
  usesLeft: number;
}

export type NewToken = Pick<Token, 'parent' | 'policies' | 'path' | 'displayName' | 'meta'> &
  Partial<
    Pick<
      Token,
      | 'id'
      | 'entityId'
      | 'ttlSeconds'
      | 'maxTtlSeconds'
      | 'explicitMaxTtlSeconds'
      | 'periodSeconds'
      | 'renewable'
      | 'usesLeft'
    >
  >;

export interface TokenStoreOptions {
  readonly clock: Clock;
  readonly events: AuditEvents;
  readonly leases: LeaseStore;
  readonly commit: () => Promise<void>;
}

/** Every living token. The tree is by accessor: a token takes its children and its leases along when it ends. */
export class TokenStore implements StateSection {
  readonly #options: TokenStoreOptions;
  readonly #byId = new Map<string, Token>();
  readonly #byAccessor = new Map<string, Token>();
  readonly #deadlines: Deadlines;

  constructor(options: TokenStoreOptions, saved: unknown) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock, (id) => void this.#expire(id));
    for (const token of (saved ?? []) as Token[]) this.#add(token);
  }

  start(): void {
    for (const token of this.#byId.values()) {
      if (token.expiresAtMs !== null) this.#deadlines.set(token.id, token.expiresAtMs);
    }
  }

  create(made: NewToken): Token {
    const nowMs = this.#options.clock.now();
    const { ttlSeconds = 0, explicitMaxTtlSeconds = 0 } = made;
    const token: Token = {
      ...made,
      id: made.id ?? `hvs.${randomText(24)}`,
      accessor: randomText(24),
      entityId: made.entityId ?? '',
      issuedAtMs: nowMs,
      ttlSeconds,
      maxTtlSeconds: made.maxTtlSeconds ?? 0,
      explicitMaxTtlSeconds,
      periodSeconds: made.periodSeconds ?? 0,
      renewable: ttlSeconds > 0 && (made.renewable ?? true),
      expiresAtMs: ttlSeconds > 0 ? nowMs + ttlSeconds * 1000 : null,
      lastRenewalMs: null,
      usesLeft: made.usesLeft ?? 0,
    };
    if (this.#byId.has(token.id)) throw invalid('cannot create a token with a duplicate ID');
    this.#add(token);
    if (token.expiresAtMs !== null) this.#deadlines.set(token.id, token.expiresAtMs);
    this.#announce('token.created', token);
    return token;
  }

  /** A token past its end is none, also before its timer fired. */
  find(id: string): Token | undefined {
    const token = this.#byId.get(id);
    return token !== undefined && this.#lives(token) ? token : undefined;
  }

  findByAccessor(accessor: string): Token | undefined {
    const token = this.#byAccessor.get(accessor);
    return token !== undefined && this.#lives(token) ? token : undefined;
  }

  all(): Iterable<Token> {
    return this.#byId.values();
  }

  get size(): number {
    return this.#byId.size;
  }

  renew(token: Token, incrementSeconds: number | undefined): { ttlSeconds: number; warnings: readonly string[] } {
    if (!token.renewable || token.expiresAtMs === null) throw invalid('lease is not renewable');
    const nowMs = this.#options.clock.now();
    const limits = [token.periodSeconds > 0 ? 0 : token.maxTtlSeconds, token.explicitMaxTtlSeconds].filter(
      (s) => s > 0,
    );
    const endsAtMs = token.issuedAtMs + Math.min(...limits) * 1000;
    const wanted = token.periodSeconds || incrementSeconds || token.ttlSeconds;
    const granted =
      limits.length === 0 ? { ttlSeconds: wanted, warnings: [] } : renewedTtl({ ttlSeconds: wanted, endsAtMs, nowMs });
    token.expiresAtMs = nowMs + granted.ttlSeconds * 1000;
    token.lastRenewalMs = nowMs;
    this.#deadlines.set(token.id, token.expiresAtMs);
    return granted;
  }

  /** Counts one request. A token without any left ends after it. */
  use(token: Token): boolean {
    if (token.usesLeft === 0) return true;
    token.usesLeft -= 1;
    return token.usesLeft > 0;
  }

  /** The token, its descendants and all their leases are void at once; resolves after the first try to undo the leases. */
  async revoke(token: Token): Promise<void> {
    const doomed = this.#withDescendants(token);
    for (const each of doomed) {
      this.#remove(each);
      this.#announce('token.revoked', each);
    }
    await this.#options.leases.revokeAll(doomed.flatMap((each) => this.#options.leases.ofToken(each.accessor)));
  }

  /** Its children live on without a parent. */
  async revokeOrphaning(token: Token): Promise<void> {
    for (const child of this.#childrenOf(token)) this.#add({ ...child, parent: null });
    await this.revoke(token);
  }

  save(): unknown {
    return [...this.#byId.values()];
  }

  close(): void {
    this.#deadlines.close();
  }

  #add(token: Token): void {
    this.#byId.set(token.id, token);
    this.#byAccessor.set(token.accessor, token);
  }

  #remove(token: Token): void {
    this.#byId.delete(token.id);
    this.#byAccessor.delete(token.accessor);
    this.#deadlines.delete(token.id);
  }

  #lives(token: Token): boolean {
    return token.expiresAtMs === null || token.expiresAtMs > this.#options.clock.now();
  }

  #childrenOf(token: Token): Token[] {
    return [...this.#byId.values()].filter((other) => other.parent === token.accessor);
  }

  #withDescendants(token: Token): Token[] {
    return [token, ...this.#childrenOf(token).flatMap((child) => this.#withDescendants(child))];
  }

  async #expire(id: string): Promise<void> {
    const token = this.#byId.get(id);
    if (token === undefined) return;
    await this.revoke(token).catch(() => undefined);
    await this.#options.commit().catch(() => undefined);
  }

  #announce(event: string, token: Token): void {
    const { events } = this.#options;
    events.event(event, {
      path: token.path,
      display_name: token.displayName,
      accessor: events.hmac(token.accessor),
      tokens: this.size,
    });
  }
}
