/** What the registry is told about this worker: counted, never assumed. */
export interface Telemetry {
  readonly totalExecutions: number;
  readonly failedExecutions: number;
  /** 0 to 1; 0 before the first execution. */
  readonly successRate: number;
  readonly avgDurationMs: number;
  /** Epoch milliseconds; 0 before the first execution. */
  readonly lastExecutionAtMs: number;
  readonly active: number;
  readonly capacity: number;
}

export class TelemetryCounter {
  #total = 0;
  #failed = 0;
  #durationMs = 0;
  #lastAtMs = 0;

  add({ failed, durationMs, nowMs }: { failed: boolean; durationMs: number; nowMs: number }): void {
    this.#total += 1;
    if (failed) this.#failed += 1;
    this.#durationMs += durationMs;
    this.#lastAtMs = nowMs;
  }

  read(active: number, capacity: number): Telemetry {
    return {
      totalExecutions: this.#total,
      failedExecutions: this.#failed,
      successRate: this.#total === 0 ? 0 : (this.#total - this.#failed) / this.#total,
      avgDurationMs: this.#total === 0 ? 0 : Math.round(this.#durationMs / this.#total),
      lastExecutionAtMs: this.#lastAtMs,
      active,
      capacity,
    };
  }
}
