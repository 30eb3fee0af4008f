import type { ExecutionTicket, TaskType } from '@neural-hive/contracts';
import { byUrgency } from '../../domain/claimed-ticket.ts';

/** Where a message lies. */
export interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** A message that was read and may be claimed. */
export interface ArrivedTicket {
  readonly place: Place;
  readonly type: TaskType;
  readonly ticketId: string;
  readonly planId: string;
  readonly retryCount: number;
  /** Of the message. */
  readonly bytes: number;
  /** A problem: it is addressed, and no ticket. It is claimed to be answered as such. */
  readonly content: { readonly ticket: ExecutionTicket } | { readonly problem: string };
  /** Among tickets of one priority the lowest comes first. Without it the deadline decides. */
  readonly rankMs?: number;
}

interface Waiting {
  readonly arrived: ArrivedTicket;
  /** Not to be asked for before. On the monotonic clock. */
  readonly notBeforeMs: number;
}

/** The tickets that were read and are not held: the most urgent one is claimed next, whichever partition it came by. */
export class TicketWindow {
  readonly #waiting = new Map<ArrivedTicket, Waiting>();

  /** `notBeforeMs`: somebody else has it, or its plan is paused. */
  put(arrived: ArrivedTicket, notBeforeMs = 0): void {
    this.#waiting.set(arrived, { arrived, notBeforeMs });
  }

  /** Takes the most urgent ones out. */
  take(types: readonly TaskType[], limit: number, nowMs: number): ArrivedTicket[] {
    const due = [...this.#waiting.values()].filter(
      ({ arrived, notBeforeMs }) => notBeforeMs <= nowMs && types.includes(arrived.type),
    );
    const taken = due.map(({ arrived }) => arrived).sort(byNeed);
    const chosen = taken.slice(0, limit);
    for (const arrived of chosen) this.#waiting.delete(arrived);
    return chosen;
  }

  /** Those of one type that may be asked for now. */
  ready(type: TaskType, nowMs: number): number {
    let count = 0;
    for (const { arrived, notBeforeMs } of this.#waiting.values()) {
      if (arrived.type === type && notBeforeMs <= nowMs) count += 1;
    }
    return count;
  }
}

/** What is no ticket is answered at once: it takes no place, and its plan waits for the answer. */
function byNeed(a: ArrivedTicket, b: ArrivedTicket): number {
  if ('ticket' in a.content && 'ticket' in b.content) {
    const { rankMs: first } = a;
    const { rankMs: second } = b;
    const comparable = a.content.ticket.priority === b.content.ticket.priority;
    const byRank = comparable && first !== undefined && second !== undefined ? first - second : 0;
    return byRank || byUrgency(a.content, b.content);
  }
  return Number('ticket' in a.content) - Number('ticket' in b.content);
}
