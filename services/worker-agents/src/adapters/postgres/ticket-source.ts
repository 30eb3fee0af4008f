import { executionTicket, type TaskType } from '@neural-hive/contracts';
import { z } from 'zod';
import type { ClaimedTicket } from '../../domain/claimed-ticket.ts';
import type { TicketSource, UnreadableTicket } from '../../domain/ports.ts';

/** What of a pool is used; `RotatingPool` and `pg.Pool` fit. */
export interface QueryPool {
  query(text: string, values: unknown[]): Promise<{ rows: unknown[] }>;
}

export const TICKET_CHANNELS = ['tickets_ready', 'tickets_cancelled'] as const;

/** bigint columns arrive as text; fencing tokens stay below 2^53 for longer than anything lasts. */
const token = z.coerce.number().int().positive();
const row = z.object({ ticket_id: z.string(), fencing_token: token, attempt: z.int(), payload: z.unknown() });
const answer = z.tuple([z.object({ answer: z.boolean() })]);

/**
 * Tickets as rows of PostgreSQL: all that a worker may do with them are the functions of schema `tickets`. Announcements
 * come in by `notify`, from whoever holds the LISTEN session.
 */
export class PostgresTicketSource implements TicketSource {
  readonly #pool: QueryPool;
  readonly #ready = new Set<() => void>();
  readonly #cancelled = new Set<(ticketId: string) => void>();
  #types: ReadonlySet<string> = new Set();

  constructor(pool: QueryPool) {
    this.#pool = pool;
  }

  async claim({ types, agentId, limit }: { types: readonly TaskType[]; agentId: string; limit: number }) {
    this.#types = new Set(types);
    const { rows } = await this.#pool.query(
      'select ticket_id, fencing_token, attempt, payload from tickets.claim($1::text[], $2, $3)',
      [types, agentId, limit],
    );
    const tickets: ClaimedTicket[] = [];
    const unreadable: UnreadableTicket[] = [];
    for (const { ticket_id: ticketId, fencing_token: fencing, attempt, payload } of rows.map((it) => row.parse(it))) {
      const parsed = executionTicket.safeParse(payload);
      if (parsed.success && parsed.data.ticket_id === ticketId) {
        tickets.push({ ticket: parsed.data, fencing, attempt });
      } else {
        unreadable.push({ ticketId, planId: planIdOf(payload, ticketId), fencing, problem: problemOf(parsed.error) });
      }
    }
    return { tickets, unreadable };
  }

  heartbeat(ticketId: string, fencing: number): Promise<boolean> {
    return this.#ask('select tickets.heartbeat($1, $2) as answer', [ticketId, fencing]);
  }

  finish(ticketId: string, fencing: number, result: object): Promise<boolean> {
    return this.#ask('select tickets.finish($1, $2, $3::jsonb) as answer', [ticketId, fencing, JSON.stringify(result)]);
  }

  release(ticketId: string, fencing: number): Promise<boolean> {
    return this.#ask('select tickets.release($1, $2) as answer', [ticketId, fencing]);
  }

  onReady(listener: () => void): () => void {
    this.#ready.add(listener);
    return () => this.#ready.delete(listener);
  }

  onCancelled(listener: (ticketId: string) => void): () => void {
    this.#cancelled.add(listener);
    return () => this.#cancelled.delete(listener);
  }

  /** A notification arrived on one of `TICKET_CHANNELS`. */
  notify(channel: string, payload: string): void {
    if (channel === 'tickets_ready' && (this.#types.size === 0 || this.#types.has(payload))) {
      for (const listener of this.#ready) listener();
    }
    if (channel === 'tickets_cancelled') for (const listener of this.#cancelled) listener(payload);
  }

  /** Announcements may have been missed. */
  lookAgain(): void {
    for (const listener of this.#ready) listener();
  }

  async #ask(text: string, values: unknown[]): Promise<boolean> {
    const { rows } = await this.#pool.query(text, values);
    const [{ answer: said }] = answer.parse(rows);
    return said;
  }
}

function planIdOf(payload: unknown, fallback: string): string {
  const parsed = z.object({ plan_id: z.string().min(1).max(128) }).safeParse(payload);
  return parsed.success ? parsed.data.plan_id : fallback;
}

function problemOf(error: z.ZodError | undefined): string {
  if (error === undefined) return 'ticket_id: is not that of the row';
  return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
}
