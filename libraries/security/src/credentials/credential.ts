import type { LeaseEnding } from '../vault/index.ts';

/** One value of a credential. Times are the server's or the lease's own. */
export interface Generation<T> {
  /** From 1; each rotation adds 1. */
  readonly generation: number;
  readonly value: T;
  readonly issuedAtMs: number;
  /** `Infinity` when it does not end by itself. Moves when the lease behind it is renewed. */
  readonly expiresAtMs: number;
}

/** What a provider hands out. It keeps the credential alive itself, until `revoke`. */
export interface Issued<T> {
  readonly value: T;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  /** Ends the credential; called once everything that used it is drained. Idempotent. */
  revoke(): Promise<void>;
  /** Calls back once when the credential has to be replaced. The returned function stops that. */
  onSuperseded?(listener: (reason: SupersededReason) => unknown): () => void;
}

export type SupersededReason = LeaseEnding | 'changed';

/** Why a rotation ran. */
export type RotationReason = 'forced' | SupersededReason;

export interface ObtainOptions {
  readonly signal: AbortSignal;
  /** What must be left of the credential when it asks to be replaced. In milliseconds. */
  readonly reserveMs: number;
  /** Whether this is the first generation in this process. */
  readonly first: boolean;
}

/** Where a credential comes from. */
export interface CredentialProvider<T> {
  readonly name: string;
  obtain(options: ObtainOptions): Promise<Issued<T>>;
}

export interface DrainOptions {
  /** Epoch milliseconds. What is still busy then is to be ended. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/** Something that holds connections opened with the credential. */
export interface CredentialConsumer<T> {
  /** Tries the candidate on a real connection; a rejection keeps the current generation. */
  probe?(candidate: Generation<T>, options: { readonly signal: AbortSignal }): Promise<void>;
  /** From here on new work uses `next`. Called again with the older generation when another consumer refuses. */
  publish(next: Generation<T>): void | Promise<void>;
  /** The candidate is not going to be used after all: ends what was opened with it. */
  discard?(candidate: Generation<T>): Promise<void>;
  /** Retires what is idle, waits for what is busy, ends what is still busy at the deadline. */
  drain(previous: Generation<T>, options: DrainOptions): Promise<{ terminated: number }>;
}

export interface RotationOutcome {
  readonly name: string;
  readonly reason: RotationReason;
  /** The generation in use after it: the new one when `ok`, else the old one. */
  readonly generation: number;
  readonly startedAtMs: number;
  /** When new work began to use the new generation; 0 when it did not come to that. */
  readonly publishedAtMs: number;
  /** When the last user of the old generation was gone; 0 when it did not come to that. */
  readonly drainedAtMs: number;
  /** Sessions that were ended at the deadline. */
  readonly terminated: number;
  readonly ok: boolean;
  readonly error?: unknown;
}
