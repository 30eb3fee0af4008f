import { setTimeout as delay } from 'node:timers/promises';
import type { Fault, Target } from './fault-schedule.ts';

/** What faults are done to: a name stands for the processes that it has now. */
export interface Victims {
  pidsOf(target: Target): readonly number[];
}

const COMING_BACK_MS = 15_000;
const POLL_MS = 50;

/**
 * Does the faults of a schedule, each at its time. One whose target is not running waits until it is, 15 s at most.
 */
export class FaultInjector {
  readonly #victims: Victims;
  readonly #onLine: (line: string) => void;
  readonly #signal: AbortSignal;
  readonly #pausing = new Set<Promise<void>>();
  readonly #paused = new Set<number>();
  #struck = 0;

  constructor(options: { victims: Victims; onLine: (line: string) => void; signal: AbortSignal }) {
    this.#victims = options.victims;
    this.#onLine = options.onLine;
    this.#signal = options.signal;
  }

  /** Faults that hit at least one process. */
  get struck(): number {
    return this.#struck;
  }

  /** Resolves when the last fault is over and nothing is paused any more. */
  async run(schedule: readonly Fault[], startedMs: number): Promise<void> {
    try {
      for (const fault of schedule) {
        const waitMs = startedMs + fault.atMs - performance.now();
        if (waitMs > 0) await delay(waitMs, undefined, { signal: this.#signal });
        await this.#strike(fault);
      }
      await Promise.all(this.#pausing);
    } catch (error) {
      if (!this.#signal.aborted) throw error;
    } finally {
      for (const pid of this.#paused) this.#send(pid, 'SIGCONT');
    }
  }

  async #strike(fault: Fault): Promise<void> {
    const found = await Promise.all(fault.targets.map((target) => this.#find(target, fault.kind)));
    const hit = fault.targets.filter((_, index) => found[index]?.length !== 0);
    const missed = fault.targets.filter((target) => !hit.includes(target));
    const pids = found.flat();
    const second = (fault.atMs / 1_000).toFixed(1);
    const what = fault.kind === 'kill' ? 'kill' : `pause for ${(fault.durationMs / 1_000).toFixed(1)} s:`;
    this.#onLine(
      `${second} s  ${what} ${hit.join(', ')}${missed.length > 0 ? ` (not there: ${missed.join(', ')})` : ''}`,
    );
    if (pids.length === 0) return;
    this.#struck += 1;
    if (fault.kind === 'kill') {
      for (const pid of pids) this.#send(pid, 'SIGKILL');
      return;
    }
    for (const pid of pids) {
      this.#paused.add(pid);
      this.#send(pid, 'SIGSTOP');
    }
    const over = delay(fault.durationMs, undefined, { signal: this.#signal }).then(() => {
      for (const pid of pids) {
        this.#paused.delete(pid);
        this.#send(pid, 'SIGCONT');
      }
    });
    // An abort ends it too; `run` lets everything go on then.
    const settled: Promise<void> = over.catch(() => undefined).finally(() => this.#pausing.delete(settled));
    this.#pausing.add(settled);
  }

  /** A kill needs the first process only: what that one made ends with it. */
  async #find(target: Target, kind: Fault['kind']): Promise<readonly number[]> {
    for (
      const endMs = performance.now() + COMING_BACK_MS;
      ;
      await delay(POLL_MS, undefined, { signal: this.#signal })
    ) {
      const pids = this.#victims.pidsOf(target);
      if (pids.length > 0) return kind === 'kill' ? pids.slice(0, 1) : pids;
      if (performance.now() > endMs) return [];
    }
  }

  #send(pid: number, signal: NodeJS.Signals): void {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended meanwhile.
    }
  }
}
