import type { ClientBase } from 'pg';
import { type PlanEvent, readResult } from '../../domain/index.ts';
import type { SessionPool } from './session-pool.ts';

/** Something that happened to a plan. */
export interface InboxEvent {
  readonly eventId: string;
  readonly event: PlanEvent;
}

/** Events that are not applied yet, in the order in which they are to be. */
export interface InboxPage {
  readonly events: readonly InboxEvent[];
  /** Takes them out of the inbox, in the transaction that applies them. */
  settle(client: ClientBase): Promise<unknown>;
}

/** Plans with something in their inbox, with a timer that is due, or that wait for admission. */
export async function findBusyPlans(pool: SessionPool, nowMs: number): Promise<BusyPlans> {
  const { rows } = await pool.query<{ plan_id: string; admitting: boolean }>(
    `select plan_id, false as admitting from tickets.claimed where not applied
      union select plan_id, false from tickets.result where not applied
      union select plan_id, false from orchestrator.timer where fire_at_ms <= $1
      union select plan_id, true from orchestrator.plan where not final and status = 'ADMITTING'`,
    [nowMs],
  );
  return {
    withEvents: rows.filter(({ admitting }) => !admitting).map(({ plan_id }) => plan_id),
    admitting: rows.filter(({ admitting }) => admitting).map(({ plan_id }) => plan_id),
  };
}

export interface BusyPlans {
  readonly withEvents: readonly string[];
  readonly admitting: readonly string[];
}

/**
 * The next events of a plan, `limit` at most: claims before results before timers. Claims first, because a decision to
 * cancel a ticket must know that a worker holds it.
 */
export async function nextEvents(client: ClientBase, planId: string, nowMs: number, limit: number): Promise<InboxPage> {
  const found = await nextOfTickets(client, planId, nowMs, limit);
  if (found.length === 0) return nextTimer(client, planId, nowMs);
  return {
    events: found.map(({ eventId, event }) => ({ eventId, event })),
    async settle(session) {
      for (const type of ['claimed', 'result'] as const) {
        await markApplied(
          session,
          type,
          found.filter(({ event }) => event.type === type),
        );
      }
    },
  };
}

/** An event of a ticket, with the row that it came from. */
interface TicketEvent extends InboxEvent {
  readonly ticketId: string;
  readonly token: string;
}

async function markApplied(client: ClientBase, table: 'claimed' | 'result', events: readonly TicketEvent[]) {
  if (events.length === 0) return;
  await client.query(
    `update tickets.${table} t set applied = true from unnest($1::text[], $2::bigint[]) as done (ticket_id, token)
      where t.ticket_id = done.ticket_id and t.fencing_token = done.token`,
    [events.map(({ ticketId }) => ticketId), events.map(({ token }) => token)],
  );
}

interface TicketRow {
  readonly ticket_id: string;
  readonly fencing_token: string;
  /** Null in the row of a result. */
  readonly agent: string | null;
  readonly takeover: boolean;
  readonly result: unknown;
  readonly age_ms: string;
}

/** One look, since a round trip costs more than what it finds. */
async function nextOfTickets(
  client: ClientBase,
  planId: string,
  nowMs: number,
  limit: number,
): Promise<readonly TicketEvent[]> {
  const { rows } = await client.query<TicketRow>(
    `(select 0 as rank, fencing_token as place, ticket_id, fencing_token, agent, takeover, null::jsonb as result,
             ${ageMs('claimed_at')} as age_ms
        from tickets.claimed where plan_id = $1 and not applied order by fencing_token limit $2)
     union all
     (select 1, result_id, ticket_id, fencing_token, null, false, result, ${ageMs('created_at')}
        from tickets.result where plan_id = $1 and not applied order by result_id limit $2)
      order by rank, place limit $2`,
    [planId, limit],
  );
  return rows.map((row) => {
    const { ticket_id: ticketId, fencing_token: token, agent, takeover, result } = row;
    const atMs = nowMs - Number(row.age_ms);
    const common = { ticketId, fencingToken: Number(token), atMs };
    const event: PlanEvent =
      agent === null
        ? { ...common, type: 'result', outcome: readResult(result) }
        : { ...common, type: 'claimed', agentId: agent, takeover };
    return { ticketId, token, eventId: `${event.type}:${ticketId}:${token}`, event };
  });
}

async function nextTimer(client: ClientBase, planId: string, nowMs: number): Promise<InboxPage> {
  const { rows } = await client.query<{ timer_id: string; fire_at_ms: string }>(
    `select timer_id, fire_at_ms from orchestrator.timer
      where plan_id = $1 and fire_at_ms <= $2 order by fire_at_ms, timer_id limit 1`,
    [planId, nowMs],
  );
  const events = rows.map(({ timer_id: timerId, fire_at_ms: fireAtMs }) => ({
    eventId: `timer:${timerId}:${fireAtMs}`,
    event: { type: 'timer', atMs: nowMs, timerId } as const,
  }));
  return {
    events,
    async settle(session) {
      for (const { event } of events) {
        await session.query('delete from orchestrator.timer where plan_id = $1 and timer_id = $2', [
          planId,
          event.timerId,
        ]);
      }
    },
  };
}

/**
 * How long ago by the database's clock, which stamps what workers do. The engine's timers go by its own: a time of the one
 * among times of the other would make a retry, or a deadline, late by whatever their clocks differ.
 */
function ageMs(column: string): string {
  return `greatest(0, ceil(extract(epoch from clock_timestamp() - ${column}) * 1000))::bigint`;
}
