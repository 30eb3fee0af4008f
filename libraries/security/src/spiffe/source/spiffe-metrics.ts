export type SvidType = 'x509' | 'jwt';

/** Where the sources report; the Prometheus adapter implements it. */
export interface SpiffeMetrics {
  /**
   * One SVID was fetched or pushed, or failed to be. `seconds` is how long the fetch took; 0 for a push. `fallback` is
   * one that came from a file or a variable, which is no success.
   */
  svidFetch(type: SvidType, status: 'success' | 'error' | 'fallback', seconds: number): void;
  /** The agent denied what was held, and it is no longer served. */
  svidWithdrawn?(type: SvidType): void;
  /** A stream was opened anew because what it should have brought was overdue. */
  streamReopened?(type: SvidType): void;
}
