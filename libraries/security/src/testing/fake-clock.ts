import type { Clock, Timer } from '../common/index.ts';

interface Pending {
  readonly atMs: number;
  readonly callback: () => void;
}

/** A clock that stands until it is moved. */
export class FakeClock implements Clock {
  readonly #pending = new Set<Pending>();
  #nowMs: number;

  constructor(startMs = 1_700_000_000_000) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const pending = { atMs: this.#nowMs + Math.max(0, delayMs), callback };
    this.#pending.add(pending);
    return { cancel: () => this.#pending.delete(pending) };
  }

  /** When the next timer is due; undefined without one. */
  get nextAtMs(): number | undefined {
    let earliest: number | undefined;
    for (const { atMs } of this.#pending) earliest = earliest === undefined ? atMs : Math.min(earliest, atMs);
    return earliest;
  }

  /** Moves on, firing each timer at its own time and letting what it started run on before the next. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const nextMs = this.nextAtMs;
      if (nextMs === undefined || nextMs > untilMs) break;
      this.#nowMs = Math.max(this.#nowMs, nextMs);
      const due = [...this.#pending].find(({ atMs }) => atMs === nextMs);
      if (due === undefined) break;
      this.#pending.delete(due);
      due.callback();
      await settle();
    }
    this.#nowMs = untilMs;
  }
}

/** Lets every promise that is ready be seen. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
