import { events } from '../../common/index.ts';
import type { SpiffeId } from '../spiffe-id.ts';

export type SvidType = 'x509' | 'jwt';

/** Where the sources report; the Prometheus and the OpenTelemetry adapter implement it. */
export interface SpiffeMetrics {
  /**
   * One SVID was fetched or pushed, or failed to be. `seconds` is how long the fetch took; 0 for a push. `fallback` is
   * one that came from a file or a variable, which is no success. `svid` is what came.
   */
  svidFetch(type: SvidType, status: 'success' | 'error' | 'fallback', seconds: number, svid?: SvidLife): void;
  /** The agent denied what was held, and it is no longer served. */
  svidWithdrawn?(type: SvidType): void;
  /** A stream was opened anew because what it should have brought was overdue. */
  streamReopened?(type: SvidType): void;
  /**
   * A source is open. `ttlSeconds` answers at any time how long what it serves lives: 0 when nothing is left to serve,
   * undefined when there is nothing that could end. The returned function is called when the source closes.
   */
  watchSvid?(type: SvidType, ttlSeconds: () => number | undefined): () => void;
}

/** What may be told of an SVID. */
export interface SvidLife {
  readonly id: SpiffeId;
  readonly expiresAtMs: number;
}

/** Tells `metrics` and those who listen to the library's events. */
export function svidReport(metrics: SpiffeMetrics | undefined): Required<SpiffeMetrics> {
  return {
    svidFetch(svidType, change, seconds, svid) {
      metrics?.svidFetch(svidType, change, seconds, svid);
      events.svid.publish(() => {
        const shown = svid === undefined ? {} : { spiffeId: svid.id.toString(), expiresAtMs: svid.expiresAtMs };
        return { svidType, change, durationMs: seconds * 1_000, ...shown };
      });
    },
    svidWithdrawn(svidType) {
      metrics?.svidWithdrawn?.(svidType);
      events.svid.publish(() => ({ svidType, change: 'withdrawn', durationMs: 0 }));
    },
    streamReopened(svidType) {
      metrics?.streamReopened?.(svidType);
      events.svid.publish(() => ({ svidType, change: 'reopened', durationMs: 0 }));
    },
    watchSvid: (svidType, ttlSeconds) => metrics?.watchSvid?.(svidType, ttlSeconds) ?? (() => undefined),
  };
}
