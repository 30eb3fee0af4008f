import type { TimerSetting } from '../../ports/plan-store.ts';

/** The timers of a plan that are set. Timers of a ticket are kept with it, so changes are told by ticket. */
export class TimerTable {
  /** By the ticket, then by the timer's id; the empty ticket id stands for the plan. */
  readonly #atMs = new Map<string, Map<string, number>>();
  readonly #touched = new Set<string>();

  constructor(settings: Iterable<TimerSetting> = []) {
    for (const { id, atMs } of settings) this.set(id, atMs);
    this.#touched.clear();
  }

  set(id: string, atMs: number): void {
    const ticketId = ticketOf(id);
    const own = this.#atMs.get(ticketId) ?? new Map<string, number>();
    this.#atMs.set(ticketId, own.set(id, atMs));
    this.#touched.add(ticketId);
  }

  clear(id: string): void {
    const ticketId = ticketOf(id);
    const own = this.#atMs.get(ticketId);
    if (own?.delete(id) !== true) return;
    if (own.size === 0) this.#atMs.delete(ticketId);
    this.#touched.add(ticketId);
  }

  clearAll(): void {
    for (const ticketId of this.#atMs.keys()) this.#touched.add(ticketId);
    this.#atMs.clear();
  }

  /** In epoch milliseconds; undefined when none is set. */
  earliestMs(): number | undefined {
    let earliest: number | undefined;
    for (const own of this.#atMs.values()) {
      for (const atMs of own.values()) if (earliest === undefined || atMs < earliest) earliest = atMs;
    }
    return earliest;
  }

  /** Takes out the timers whose time has come, the earliest first. */
  takeDue(nowMs: number): readonly string[] {
    const due: TimerSetting[] = [];
    for (const own of this.#atMs.values()) {
      for (const [id, atMs] of own) if (atMs <= nowMs) due.push({ id, atMs });
    }
    due.sort((a, b) => a.atMs - b.atMs || (a.id < b.id ? -1 : 1));
    for (const { id } of due) this.clear(id);
    return due.map(({ id }) => id);
  }

  /** Those of a ticket; of the plan itself where the id is empty. */
  of(ticketId: string): readonly TimerSetting[] {
    return Array.from(this.#atMs.get(ticketId) ?? [], ([id, atMs]) => ({ id, atMs }));
  }

  /** The tickets whose timers changed since it was asked last; the empty id stands for the plan. */
  takeTouched(): readonly string[] {
    const touched = [...this.#touched];
    this.#touched.clear();
    return touched;
  }
}

/** `<kind>:<ticket id>` and what may follow; timers of the plan have no colon. */
function ticketOf(timerId: string): string {
  return timerId.split(':')[1] ?? '';
}
