import type { ClientBase } from 'pg';
import { type PlanEvent, readResult } from '../../domain/index.ts';
import type { SessionPool } from './session-pool.ts';

/** Something that happened to a plan and is not applied yet. */
export interface InboxEvent {
  readonly eventId: string;
  readonly event: PlanEvent;
  /** Takes it out of the inbox, in the transaction that applies it. */
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
 * The next event of a plan: claims before results before timers. A claim first, because a decision to cancel a ticket
 * must know that a worker holds it.
 */
export async function nextEvent(client: ClientBase, planId: string, nowMs: number): Promise<InboxEvent | undefined> {
  return (
    (await nextClaim(client, planId, nowMs)) ??
    (await nextResult(client, planId, nowMs)) ??
    (await nextTimer(client, planId, nowMs))
  );
}

async function nextClaim(client: ClientBase, planId: string, nowMs: number): Promise<InboxEvent | undefined> {
  const { rows } = await client.query<{
    ticket_id: string;
    fencing_token: string;
    agent: string;
    takeover: boolean;
    age_ms: string;
  }>(
    `select ticket_id, fencing_token, agent, takeover, ${ageMs('claimed_at')} as age_ms
       from tickets.claimed where plan_id = $1 and not applied order by fencing_token limit 1`,
    [planId],
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  const { ticket_id, fencing_token, agent, takeover, age_ms } = row;
  return {
    eventId: `claimed:${ticket_id}:${fencing_token}`,
    event: {
      type: 'claimed',
      atMs: nowMs - Number(age_ms),
      ticketId: ticket_id,
      fencingToken: Number(fencing_token),
      agentId: agent,
      takeover,
    },
    settle: (session) =>
      session.query('update tickets.claimed set applied = true where ticket_id = $1 and fencing_token = $2', [
        ticket_id,
        fencing_token,
      ]),
  };
}

async function nextResult(client: ClientBase, planId: string, nowMs: number): Promise<InboxEvent | undefined> {
  const { rows } = await client.query<{ ticket_id: string; fencing_token: string; result: unknown; age_ms: string }>(
    `select ticket_id, fencing_token, result, ${ageMs('created_at')} as age_ms
       from tickets.result where plan_id = $1 and not applied order by result_id limit 1`,
    [planId],
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  const { ticket_id, fencing_token, result, age_ms } = row;
  return {
    eventId: `result:${ticket_id}:${fencing_token}`,
    event: {
      type: 'result',
      atMs: nowMs - Number(age_ms),
      ticketId: ticket_id,
      fencingToken: Number(fencing_token),
      outcome: readResult(result),
    },
    settle: (session) =>
      session.query('update tickets.result set applied = true where ticket_id = $1 and fencing_token = $2', [
        ticket_id,
        fencing_token,
      ]),
  };
}

async function nextTimer(client: ClientBase, planId: string, nowMs: number): Promise<InboxEvent | undefined> {
  const { rows } = await client.query<{ timer_id: string; fire_at_ms: string }>(
    `select timer_id, fire_at_ms from orchestrator.timer
      where plan_id = $1 and fire_at_ms <= $2 order by fire_at_ms, timer_id limit 1`,
    [planId, nowMs],
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  return {
    eventId: `timer:${row.timer_id}:${row.fire_at_ms}`,
    event: { type: 'timer', atMs: nowMs, timerId: row.timer_id },
    settle: (session) =>
      session.query('delete from orchestrator.timer where plan_id = $1 and timer_id = $2', [planId, row.timer_id]),
  };
}

/**
 * How long ago by the database's clock, which stamps what workers do. The engine's timers go by its own: a time of the one
 * among times of the other would make a retry, or a deadline, late by whatever their clocks differ.
 */
function ageMs(column: string): string {
  return `greatest(0, ceil(extract(epoch from clock_timestamp() - ${column}) * 1000))::bigint`;
}
