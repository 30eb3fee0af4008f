import { events, NeuralHiveError } from '../common/index.ts';
import type { RotationOutcome } from './credential.ts';

/** Where rotations are counted; `@neural-hive/security/prometheus` and `/opentelemetry` have an implementation. */
export interface CredentialMetrics {
  rotation(outcome: RotationOutcome, times: RotationTimes): void;
  /**
   * A credential is open. `ttlSeconds` answers at any time how long the generation in use lives; undefined when it does
   * not end by itself. The returned function is called when the credential closes.
   */
  watchCredential?(name: string, ttlSeconds: () => number | undefined): () => void;
}

/** How long an ended rotation took. */
export interface RotationTimes {
  /** Its whole time, draining and revoking included. */
  readonly durationMs: number;
  /** From the moment new work used the new generation until nothing used the old one; 0 when it did not come to that. */
  readonly drainMs: number;
}

/** Tells `metrics` and those who listen to the library's events. */
export function credentialReport(metrics: CredentialMetrics | undefined): {
  rotation(outcome: RotationOutcome, durationMs: number): void;
  watchCredential(name: string, ttlSeconds: () => number | undefined): () => void;
} {
  return {
    rotation(outcome, durationMs) {
      const { name: credential, reason, ok, generation, terminated, error, publishedAtMs, drainedAtMs } = outcome;
      const drainMs = ok ? Math.max(0, drainedAtMs - publishedAtMs) : 0;
      metrics?.rotation(outcome, { durationMs, drainMs });
      events.rotation.publish(() => ({
        ...{ credential, reason, ok, generation, durationMs, drainMs, terminated },
        ...(error instanceof NeuralHiveError ? { errorCode: error.code } : {}),
      }));
    },
    watchCredential: (name, ttlSeconds) => metrics?.watchCredential?.(name, ttlSeconds) ?? (() => undefined),
  };
}
