import type { Clock } from '../../common/index.ts';
import type { WorkloadApiClient } from '../workload-api/client.ts';
import type { SpiffeMetrics } from './spiffe-metrics.ts';

export interface SourceOptions {
  /** `unix:///path` or `tcp://ip:port`. Default: `SPIFFE_ENDPOINT_SOCKET`. */
  readonly endpoint?: string | undefined;
  /** A client that is shared; it stays open when the source closes. Default: an own one for `endpoint`. */
  readonly client?: WorkloadApiClient;
  /** How long `open` waits for the first good message. In milliseconds; default 10 000. */
  readonly initialSyncTimeoutMs?: number;
  /** How long an SVID stays in use after the agent denied it. In milliseconds; default 0. */
  readonly deniedGraceMs?: number;
  /** Aborts the opening. */
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock;
  readonly metrics?: SpiffeMetrics;
}

export interface SourceHealth {
  /** `degraded`: what is served is valid, and the agent is not answering. `unhealthy`: there is nothing valid to serve. */
  readonly state: 'healthy' | 'degraded' | 'unhealthy';
  /** What the agent last said or did wrong; undefined once a good message followed. */
  readonly lastError?: Error;
  /** When what is served expires; 0 without anything. */
  readonly expiresAtMs: number;
}
