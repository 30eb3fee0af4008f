import { events } from '../common/index.ts';
import type { LeaseEvent, LeaseState } from './lease/lease.ts';
import type { TokenReplacementReason } from './token/token-record.ts';

/** Where the client counts; `@neural-hive/security/prometheus` and `/opentelemetry` have an implementation. */
export interface VaultMetrics {
  /** `operation` is a template such as `kv.read`, never a path; `status` is `success` or an error code. */
  request(operation: string, status: string, durationMs: number): void;
  tokenRenewal(status: 'success' | 'failure'): void;
  /** A new login took the place of the token. */
  tokenReplaced?(reason: TokenReplacementReason): void;
  leaseChanged?(event: LeaseEvent): void;
  /** A client is open; `observe` never rejects or waits. The returned function is called when the client closes. */
  watchClient?(observe: () => VaultObservation): () => void;
}

/** A client at one moment. */
export interface VaultObservation {
  /** Undefined for a token that does not end. */
  readonly tokenTtlSeconds: number | undefined;
  readonly breaker: BreakerState;
  readonly leases: readonly { readonly state: LeaseState; readonly ttlSeconds: number | undefined }[];
}

export type BreakerState = 'closed' | 'open' | 'half-open';

/** Tells `metrics` and those who listen to the library's events. */
export function vaultReport(metrics: VaultMetrics | undefined): Required<VaultMetrics> {
  return {
    request(operation, status, durationMs) {
      metrics?.request(operation, status, durationMs);
      events.vaultRequest.publish(() => ({ operation, status, durationMs }));
    },
    tokenRenewal(status) {
      metrics?.tokenRenewal(status);
      events.vaultToken.publish(() => ({ change: status === 'success' ? 'renewed' : 'renewal-failed' }));
    },
    tokenReplaced(reason) {
      metrics?.tokenReplaced?.(reason);
      events.vaultToken.publish(() => ({ change: 'replaced', reason }));
    },
    leaseChanged(event) {
      metrics?.leaseChanged?.(event);
      const { leaseId, expiresAtMs, ending } = event.lease;
      const reason = ending === undefined ? {} : { reason: ending };
      events.lease.publish(() => ({ change: event.type, leaseId, expiresAtMs, ...reason }));
    },
    watchClient: (observe) => metrics?.watchClient?.(observe) ?? (() => undefined),
  };
}

export { type Logger, silentLogger } from '../common/index.ts';
