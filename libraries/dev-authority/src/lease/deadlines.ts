import type { Clock, Timer } from '@neural-hive/security/common';

/** Calls back for each key at its time, with one timer however many keys there are. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #onDue: (key: string) => void;
  readonly #dueMs = new Map<string, number>();
  #timer: Timer | undefined;
  #timerMs = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(clock: Clock, onDue: (key: string) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  set(key: string, dueMs: number): void {
    if (this.#closed) return;
    this.#dueMs.set(key, dueMs);
    if (dueMs < this.#timerMs) this.#arm(dueMs);
  }

  delete(key: string): void {
    this.#dueMs.delete(key);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#dueMs.clear();
  }

  #arm(dueMs: number): void {
    this.#timer?.cancel();
    this.#timerMs = dueMs;
    this.#timer = this.#clock.setTimer(Math.max(0, dueMs - this.#clock.now()), () => this.#fire());
  }

  #fire(): void {
    const nowMs = this.#clock.now();
    const due = [...this.#dueMs].filter(([, dueMs]) => dueMs <= nowMs);
    for (const [key] of due) this.#dueMs.delete(key);
    this.#timerMs = Number.POSITIVE_INFINITY;
    for (const [key] of due) this.#onDue(key);
    const next = Math.min(...this.#dueMs.values());
    if (Number.isFinite(next) && next < this.#timerMs) this.#arm(next);
  }
}
