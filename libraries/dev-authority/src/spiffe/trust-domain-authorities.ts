import { type Clock, messageOf, type Timer } from '@neural-hive/security/common';
import { BundlePublisher, type SpiffeBundle, TrustDomain } from '@neural-hive/security/spiffe';
import { CertificateAuthority, type CertificateAuthorityState } from '@neural-hive/security/testing';
import type { StateSection } from '../state/journal.ts';
import { activeOf, keepUp, type Lineage, nextChangeAtMs } from './authority-lineage.ts';
import {
  type AuthorityKind,
  type AuthoritySlot,
  exportSlot,
  freshSlot,
  importSlot,
  type SavedSlot,
  slotOf,
} from './authority-slot.ts';

export type Lineages = Readonly<Record<AuthorityKind, Lineage>>;

/** What an issuer of SVIDs and the Workload API's server ask of a trust domain. */
export type SvidAuthority = Pick<
  CertificateAuthority,
  'trustDomain' | 'bundle' | 'jwks' | 'jwtBundle' | 'issueX509Svid' | 'issueJwtSvid'
>;

export interface SavedAuthorities {
  readonly trustDomain: string;
  /** Of the bundle that these authorities make; decimal, it may be longer than a double holds. */
  readonly sequence: string;
  readonly x509: readonly SavedSlot[];
  readonly jwt: readonly SavedSlot[];
}

export interface TrustDomainAuthoritiesOptions {
  readonly trustDomain: string;
  /** Life of a new authority, in seconds. */
  readonly ttlSeconds: number;
  /** The longest that a new SVID of the kind lives, in seconds. */
  readonly svidTtlSeconds: Readonly<Record<AuthorityKind, number>>;
  readonly clock: Clock;
  /** Resolves when `save()` is on the disk. */
  readonly commit: () => Promise<void>;
}

/** A timer that was late, as after the sleep of a laptop, is late by no more. */
const LONGEST_WAIT_MS = 3_600_000;
/** Between two attempts when the state cannot be written. */
const SHORTEST_WAIT_MS = 1_000;

/**
 * The X.509 and JWT authorities of a trust domain, replaced as SPIRE does. A change is on the disk before anybody sees it:
 * no SVID is ever signed, and no bundle published, by what a crash would take back.
 */
export class TrustDomainAuthorities implements SvidAuthority, StateSection {
  readonly trustDomain: TrustDomain;
  readonly #options: TrustDomainAuthoritiesOptions;
  readonly #publisher: BundlePublisher;
  readonly #listeners = new Set<() => void>();
  #present: Lineages;
  /** What the state file holds, or is about to. */
  #saved: Lineages;
  #bundle: SpiffeBundle;
  #jwks: Uint8Array = new Uint8Array();
  #queue: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;

  private constructor(options: TrustDomainAuthoritiesOptions, lineages: Lineages, sequence: bigint) {
    this.trustDomain = TrustDomain.parse(options.trustDomain);
    this.#options = options;
    this.#publisher = new BundlePublisher({
      trustDomain: this.trustDomain,
      refreshHintSeconds: refreshHintSeconds(options.ttlSeconds),
      // Published again with the number it had.
      lastSequence: sequence - 1n,
    });
    this.#present = lineages;
    this.#saved = lineages;
    this.#bundle = this.#publish();
  }

  /** `saved` is what `save` returned, or the single authority of an earlier version. It must be committed before it is used. */
  static create(options: TrustDomainAuthoritiesOptions, saved: unknown): TrustDomainAuthorities {
    const { lineages, sequence } = restored(options, saved as SavedAuthorities | CertificateAuthorityState | undefined);
    const authorities = new TrustDomainAuthorities(options, lineages, sequence);
    authorities.#present = authorities.#keptUp(lineages);
    authorities.#saved = authorities.#present;
    authorities.#bundle = authorities.#publish();
    return authorities;
  }

  get lineages(): Lineages {
    return this.#present;
  }

  /** As it is published, with its number. */
  spiffeBundle(): SpiffeBundle {
    return this.#bundle;
  }

  bundle(): SpiffeBundle['x509'] {
    return this.#bundle.x509;
  }

  jwtBundle(): SpiffeBundle['jwt'] {
    return this.#bundle.jwt;
  }

  jwks(): Uint8Array {
    return this.#jwks;
  }

  get bundlePem(): string {
    return this.#present.x509.map(({ signer }) => signer.rootPem).join('');
  }

  issueX509Svid(request: Parameters<CertificateAuthority['issueX509Svid']>[0]) {
    const active = activeOf(this.#present.x509);
    return active.signer.issueX509Svid({ ...request, ttlSeconds: this.#withinLife(active, request.ttlSeconds) });
  }

  issueJwtSvid(request: Parameters<CertificateAuthority['issueJwtSvid']>[0]): string {
    const active = activeOf(this.#present.jwt);
    return active.signer.issueJwtSvid({ ...request, ttlSeconds: this.#withinLife(active, request.ttlSeconds) });
  }

  /** An authority that stands in no bundle yet. */
  fresh(kind: AuthorityKind): AuthoritySlot {
    const { trustDomain, ttlSeconds, svidTtlSeconds, clock } = this.#options;
    return freshSlot(kind, { trustDomain, ttlSeconds, longestLifeMs: svidTtlSeconds[kind] * 1000, clock });
  }

  /** One change after another. Resolves when it is durable and everybody was told; rejects with what `step` throws. */
  change(kind: AuthorityKind, step: (lineage: Lineage) => Lineage): Promise<void> {
    return this.#enqueue((present) => ({ ...present, [kind]: step(present[kind]) }));
  }

  /** Calls back when the bundle has changed. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Replaces authorities before they end, from now on. */
  start(): void {
    this.#timer?.cancel();
    const { clock } = this.#options;
    const dueMs = Math.min(nextChangeAtMs(this.#present.x509), nextChangeAtMs(this.#present.jwt)) - clock.now();
    const waitMs = Math.min(Math.max(dueMs, SHORTEST_WAIT_MS), LONGEST_WAIT_MS);
    this.#timer = clock.setTimer(waitMs, () => void this.#wake());
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#listeners.clear();
    await this.#queue;
  }

  save(): SavedAuthorities {
    const { x509, jwt } = this.#saved;
    const { sequence = 0n } = this.#bundle;
    // What is not published yet has the next number, as it will have when it is.
    const next = sameAuthorities(this.#saved, this.#present) ? sequence : sequence + 1n;
    return {
      trustDomain: this.trustDomain.name,
      sequence: next.toString(),
      x509: x509.map(exportSlot),
      jwt: jwt.map(exportSlot),
    };
  }

  async #wake(): Promise<void> {
    try {
      await this.#enqueue((present) => this.#keptUp(present));
    } catch (error) {
      process.stderr.write(`dev-authority: the authorities were not replaced: ${messageOf(error)}\n`);
    }
    if (this.#timer !== undefined) this.start();
  }

  #enqueue(step: (present: Lineages) => Lineages): Promise<void> {
    const run = this.#queue.then(async () => {
      const next = step(this.#present);
      if (next === this.#present) return;
      this.#saved = next;
      try {
        await this.#options.commit();
      } catch (error) {
        this.#saved = this.#present;
        throw error;
      }
      this.#present = next;
      const before = this.#bundle;
      this.#bundle = this.#publish();
      if (this.#timer !== undefined) this.start();
      if (this.#bundle !== before) for (const listener of [...this.#listeners]) listener();
    });
    this.#queue = run.catch(() => undefined);
    return run;
  }

  #keptUp(present: Lineages): Lineages {
    const nowMs = this.#options.clock.now();
    const x509 = keepUp(present.x509, nowMs, () => this.fresh('x509'));
    const jwt = keepUp(present.jwt, nowMs, () => this.fresh('jwt'));
    return x509 === present.x509 && jwt === present.jwt ? present : { x509, jwt };
  }

  #publish(): SpiffeBundle {
    const { x509, jwt } = this.#present;
    this.#jwks = jwksOf(jwt);
    return this.#publisher.publish({
      authorities: x509.flatMap(({ signer }) => signer.bundle().authorities),
      jwtKeys: jwt.flatMap(({ signer }) => signer.jwtBundle().keys),
    });
  }

  /** As SPIRE: no SVID outlives what signed it. */
  #withinLife({ expiresAtMs }: AuthoritySlot, ttlSeconds: number): number {
    return Math.min(ttlSeconds, Math.floor((expiresAtMs - this.#options.clock.now()) / 1000));
  }
}

/** Federation, 4.1: five intervals fit into the third of a life that lies between preparation and activation. */
function refreshHintSeconds(ttlSeconds: number): number {
  return Math.max(1, Math.min(300, Math.floor(ttlSeconds / 15)));
}

function restored(
  options: TrustDomainAuthoritiesOptions,
  saved: SavedAuthorities | CertificateAuthorityState | undefined,
): { lineages: Lineages; sequence: bigint } {
  const { clock, svidTtlSeconds } = options;
  const longestLifeMs = (kind: AuthorityKind): number => svidTtlSeconds[kind] * 1000;
  if (saved !== undefined && 'sequence' in saved) {
    // Configured to live longer than before, the next ones still stand by what signs them.
    const slots = (kind: AuthorityKind): Lineage =>
      saved[kind].map((each) => {
        const slot = importSlot(each, clock);
        return slot.stoppedAtMs === undefined
          ? { ...slot, longestLifeMs: Math.max(slot.longestLifeMs, longestLifeMs(kind)) }
          : slot;
      });
    return { lineages: { x509: slots('x509'), jwt: slots('jwt') }, sequence: BigInt(saved.sequence) };
  }
  const { trustDomain, ttlSeconds } = options;
  const single = (kind: AuthorityKind): Lineage => {
    if (saved !== undefined) return [slotOf(kind, CertificateAuthority.import(saved, { clock }), longestLifeMs(kind))];
    const fresh = freshSlot(kind, { trustDomain, ttlSeconds, longestLifeMs: longestLifeMs(kind), clock });
    return [{ ...fresh, status: 'active' }];
  };
  return { lineages: { x509: single('x509'), jwt: single('jwt') }, sequence: 1n };
}

function jwksOf(lineage: Lineage): Uint8Array {
  const keys = lineage.flatMap(({ signer }) => (JSON.parse(Buffer.from(signer.jwks()).toString()) as JwkSet).keys);
  return Buffer.from(JSON.stringify({ keys }));
}

interface JwkSet {
  readonly keys: readonly unknown[];
}

function sameAuthorities(a: Lineages, b: Lineages): boolean {
  const ids = ({ x509, jwt }: Lineages): string => [...x509, ...jwt].map(({ id }) => id).join(' ');
  return ids(a) === ids(b);
}
