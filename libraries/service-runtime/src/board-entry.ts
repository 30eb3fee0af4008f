export type CredentialKind = 'database' | 'vault-token' | 'kv' | 'x509-svid' | 'listed';

/** A credential as it is now. */
export interface CredentialDescription {
  readonly generation: number;
  /** The whole life of this generation, in seconds; `Infinity` when it does not end by itself. */
  readonly ttlSeconds: number;
  readonly expiresAtMs: number;
}

/** Handed to one operation of the load. */
export interface OperationContext {
  /** Call it each time the operation has to be repeated: a repeated operation counts as retried. */
  retried(): void;
  readonly signal: AbortSignal;
}

/** How hard the load uses a credential. */
export interface LoadPace {
  /** Operations that run at once. Default 4. */
  readonly concurrency?: number;
  /** Pause of each lane between two operations. Default 50 ms, so that the load leaves room for the work. */
  readonly pauseMs?: number;
  /** The same while a rotation goes on. Default 5 ms. */
  readonly busyPauseMs?: number;
}

/** What a rotation reports; `RotationOutcome` of `@neural-hive/security/credentials` is one. */
export interface RotationLike {
  readonly reason?: string;
  /** 0 or absent: when `rotate` was called. Epoch milliseconds. */
  readonly startedAtMs?: number;
  /** 0 or absent: when `rotate` resolved. Epoch milliseconds. */
  readonly drainedAtMs?: number;
  /** Sessions that were cut instead of drained. */
  readonly terminated?: number;
  /** Default true. */
  readonly ok?: boolean;
  readonly error?: unknown;
}

export interface BoardEntry {
  /** Unique on the board. */
  readonly name: string;
  readonly kind: CredentialKind;
  describe(): CredentialDescription;
  /** The code path of a due rotation, entered now. Without it the credential is listed and not rotated from here. */
  rotate?(reason: 'forced'): Promise<RotationLike>;
  /** One read that uses the credential as it is now. Rejects when the read failed. */
  operate?(context: OperationContext): Promise<void>;
  /** For operations that cost more, or less, than a small query. */
  readonly pace?: LoadPace;
  /** Tells of every rotation that ended, the forced ones included. */
  onRotation?(listener: (rotation: RotationLike) => void): () => void;
  /** Tells of a change that somebody else made, after the fact: SVIDs rotate on command of their authority. */
  onObserved?(listener: () => void): () => void;
  /**
   * Registers a consumer that holds the drain of a rotation open while the load still uses the credential, so that
   * enough operations fall into the rotation itself.
   */
  attach?(consumer: DrainGate): () => void;
}

/** The part of a `CredentialConsumer` that the board plays. */
export interface DrainGate {
  publish(): void;
  drain(
    previous: unknown,
    options: { readonly deadlineMs: number; readonly signal: AbortSignal },
  ): Promise<{ terminated: number }>;
}

export interface ListedCredential {
  readonly name: string;
  readonly kind: CredentialKind;
  readonly generation: number;
  /** 0 when the credential does not end by itself. */
  readonly ttlSeconds: number;
  /** null when the credential does not end by itself. */
  readonly expiresAtMs: number | null;
}

export interface RotationRecord {
  readonly name: string;
  /** `forced`: commanded; `due`: the credential's own schedule; `cascade`: the token that owned it was replaced. */
  readonly reason: 'forced' | 'due' | 'cascade';
  readonly ok: boolean;
  readonly error?: string;
  readonly startedAtMs: number;
  /** From the start until the old generation was drained. */
  readonly durationMs: number;
  readonly operationsDuring: number;
  readonly failed: number;
  readonly retried: number;
  readonly maxStallMs: number;
  readonly terminated: number;
}

export interface RotationTotals {
  readonly total: number;
  readonly forced: number;
  readonly due: number;
  readonly unsuccessful: number;
  readonly operationsDuring: number;
  readonly failedOperations: number;
  readonly retriedOperations: number;
  readonly maxStallMs: number;
  readonly sessionsTerminated: number;
}

export interface LoadStatistics {
  readonly running: boolean;
  readonly credentials: readonly {
    readonly name: string;
    readonly operations: number;
    readonly failed: number;
    readonly retried: number;
  }[];
}

export interface BoardReport {
  readonly credentials: readonly ListedCredential[];
  readonly rotations: readonly RotationRecord[];
  readonly totals: RotationTotals;
  readonly load: LoadStatistics;
}

export function totalsOf(rotations: readonly RotationRecord[]): RotationTotals {
  const sum = (pick: (rotation: RotationRecord) => number): number =>
    rotations.reduce((total, rotation) => total + pick(rotation), 0);
  return {
    total: rotations.length,
    forced: sum(({ reason }) => (reason === 'forced' ? 1 : 0)),
    due: sum(({ reason }) => (reason === 'due' ? 1 : 0)),
    unsuccessful: sum(({ ok }) => (ok ? 0 : 1)),
    operationsDuring: sum(({ operationsDuring }) => operationsDuring),
    failedOperations: sum(({ failed }) => failed),
    retriedOperations: sum(({ retried }) => retried),
    maxStallMs: rotations.reduce((max, { maxStallMs }) => Math.max(max, maxStallMs), 0),
    sessionsTerminated: sum(({ terminated }) => terminated),
  };
}
