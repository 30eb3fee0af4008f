/** The numbers that a plan runs by. Fixed when it is submitted, so that its history replays to the same state. */
export interface ExecutionPolicy {
  /** The first retry waits between half of this and all of it. Default 1,000 ms. */
  readonly retryBaseMs: number;
  /** No retry waits longer. Default 30,000 ms. */
  readonly retryCapMs: number;
  /** No attempt gets less. Default 60,000 ms. */
  readonly minTimeoutMs: number;
  /** An attempt may take this many times its estimate. Default 3. */
  readonly timeoutFactor: number;
  /** How long a ticket may wait in the queue, on top of the time of its attempts. Default 1 hour. */
  readonly queueLimitMs: number;
  /** Further attempts at undoing one ticket. Default 5. */
  readonly compensationRetries: number;
  /** A ticket that makes more holders go silent is at fault itself. Default 10. */
  readonly maxTakeovers: number;
  /** Whether who submitted a plan may approve it too. Default true. */
  readonly selfApproval: boolean;
}

export const DEFAULT_POLICY: ExecutionPolicy = {
  retryBaseMs: 1_000,
  retryCapMs: 30_000,
  minTimeoutMs: 60_000,
  timeoutFactor: 3,
  queueLimitMs: 3_600_000,
  compensationRetries: 5,
  maxTakeovers: 10,
  selfApproval: true,
};
