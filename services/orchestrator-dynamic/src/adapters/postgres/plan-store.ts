import type { CognitivePlan, ConsolidatedDecision } from '@neural-hive/contracts';
import type { ClientBase } from 'pg';
import {
  type Decision,
  isFinal,
  type PlanEvent,
  type PlanState,
  type PlanStatus,
  type PlanSummary,
  type ProgressLine,
  type TicketState,
} from '../../domain/index.ts';
import type { NumberedProgress } from '../../ports/plan-engine.ts';
import type { SessionPool } from './session-pool.ts';

/** A plan as it lies in the database, locked for the transaction that read it. */
export interface StoredPlan {
  readonly state: PlanState;
  /** Counts the events applied. */
  readonly seq: number;
}

interface PlanRow {
  seq: string;
  document: CognitivePlan;
  decision: ConsolidatedDecision;
  state: Omit<PlanState, 'plan' | 'decision' | 'tickets'>;
}

/** States that were read or written lately, so that an event costs what it changes and not what the plan holds. */
export class PlanStore {
  readonly #recent = new Map<string, StoredPlan>();
  readonly #capacity: number;

  constructor(options: { capacity?: number } = {}) {
    this.#capacity = options.capacity ?? 64;
  }

  /**
   * Locks the plan's row and reads its state. `wait` false answers undefined for a row that another transaction
   * holds, as for a plan that does not exist.
   */
  async lock(client: ClientBase, planId: string, options: { wait: boolean }): Promise<StoredPlan | undefined> {
    const mode = options.wait ? 'for update' : 'for update skip locked';
    const locked = await client.query<{ seq: string }>(`select seq from orchestrator.plan where plan_id = $1 ${mode}`, [
      planId,
    ]);
    const row = locked.rows[0];
    if (row === undefined) return undefined;
    const recent = this.#recent.get(planId);
    return recent?.seq === Number(row.seq) ? recent : this.read(client, planId);
  }

  async read(client: Pick<ClientBase, 'query'> | SessionPool, planId: string): Promise<StoredPlan | undefined> {
    const { rows } = await client.query<PlanRow & { tickets: TicketState[] }>(
      `select p.seq, p.document, p.decision, p.state,
              (select coalesce(jsonb_agg(t.state order by t.position), '[]')
                 from orchestrator.plan_ticket t where t.plan_id = p.plan_id) as tickets
         from orchestrator.plan p where p.plan_id = $1`,
      [planId],
    );
    const row = rows[0];
    if (row === undefined) return undefined;
    const tickets = new Map(row.tickets.map((ticket) => [ticket.ticketId, ticket]));
    return { seq: Number(row.seq), state: { ...row.state, plan: row.document, decision: row.decision, tickets } };
  }

  async insert(client: ClientBase, { state, changed }: Decision): Promise<void> {
    const { plan, decision, tickets: _tickets, ...head } = state;
    await client.query(
      `insert into orchestrator.plan (plan_id, status, final, seq, document, decision, state, submitted_by)
       values ($1, $2, $3, 1, $4, $5, $6, $7)`,
      [
        plan.plan_id,
        state.status,
        isFinal(state.status),
        JSON.stringify(plan),
        JSON.stringify(decision),
        JSON.stringify(head),
        state.submittedBy,
      ],
    );
    await this.#saveTickets(client, state, changed);
  }

  async update(client: ClientBase, { state, seq }: StoredPlan, changed: readonly string[]): Promise<void> {
    const { plan, decision: _decision, tickets: _tickets, ...head } = state;
    await client.query(
      `update orchestrator.plan
          set status = $2, final = $3, seq = $5, state = $4, updated_at = clock_timestamp()
        where plan_id = $1`,
      [plan.plan_id, state.status, isFinal(state.status), JSON.stringify(head), seq],
    );
    await this.#saveTickets(client, state, changed);
  }

  async #saveTickets(client: ClientBase, state: PlanState, changed: readonly string[]): Promise<void> {
    if (changed.length === 0) return;
    const positions = new Map([...state.tickets.keys()].map((ticketId, position) => [ticketId, position]));
    await client.query(
      `insert into orchestrator.plan_ticket (plan_id, ticket_id, position, state)
       select $1, * from unnest($2::text[], $3::int[], $4::jsonb[])
       on conflict (plan_id, ticket_id) do update set state = excluded.state`,
      [
        state.plan.plan_id,
        changed,
        changed.map((ticketId) => positions.get(ticketId)),
        changed.map((ticketId) => JSON.stringify(state.tickets.get(ticketId))),
      ],
    );
  }

  /** False when the event was recorded before. The plan's own document is not written a second time. */
  async recordEvent(client: ClientBase, planId: string, eventId: string, seq: number, event: PlanEvent) {
    const { atMs, ...rest } = event;
    const body = rest.type === 'submitted' ? { type: rest.type, by: rest.by, policy: rest.policy } : rest;
    const { rowCount } = await client.query(
      `insert into orchestrator.event (plan_id, event_id, seq, event, at_ms)
       values ($1, $2, $3, $4, $5) on conflict (plan_id, event_id) do nothing`,
      [planId, eventId, seq, JSON.stringify(body), atMs],
    );
    return rowCount === 1;
  }

  /** The events of a plan in their order, for a replay. */
  async events(pool: SessionPool, planId: string): Promise<readonly PlanEvent[]> {
    const { rows } = await pool.query<{ event: Record<string, unknown> & { type: string }; at_ms: string } & PlanRow>(
      `select e.event, e.at_ms, p.document, p.decision
         from orchestrator.event e join orchestrator.plan p using (plan_id) where plan_id = $1 order by e.seq`,
      [planId],
    );
    return rows.map(({ event, at_ms, document, decision }) => {
      const whole = event.type === 'submitted' ? { ...event, plan: document, decision } : event;
      return { ...whole, atMs: Number(at_ms) } as PlanEvent;
    });
  }

  async appendProgress(client: ClientBase, planId: string, lines: readonly ProgressLine[]): Promise<void> {
    if (lines.length === 0) return;
    await client.query(
      `insert into orchestrator.progress (plan_id, seq, line)
       select $1, coalesce((select max(seq) from orchestrator.progress where plan_id = $1), 0) + l.position, l.line
         from unnest($2::jsonb[]) with ordinality as l (line, position)`,
      [planId, lines.map((line) => JSON.stringify(line))],
    );
  }

  async progressAfter(
    pool: SessionPool,
    planId: string,
    after: number,
    limit = 500,
  ): Promise<readonly NumberedProgress[]> {
    const { rows } = await pool.query<{ seq: string; line: ProgressLine }>(
      'select seq, line from orchestrator.progress where plan_id = $1 and seq > $2 order by seq limit $3',
      [planId, after, limit],
    );
    return rows.map(({ seq, line }) => ({ seq: Number(seq), line }));
  }

  /** The newest first. */
  async list(
    pool: SessionPool,
    filter: { status?: PlanStatus | undefined; limit: number },
  ): Promise<readonly PlanSummary[]> {
    const { rows } = await pool.query<PlanRow & { plan_id: string; intent_id: string; status: PlanStatus }>(
      `select plan_id, document ->> 'intent_id' as intent_id, status, state from orchestrator.plan
        where $1::text is null or status = $1 order by created_at desc, plan_id limit $2`,
      [filter.status ?? null, filter.limit],
    );
    return rows.map(({ plan_id, intent_id, status, state }) => ({
      id: plan_id,
      status,
      final: isFinal(status),
      intentId: intent_id,
      submittedBy: state.submittedBy,
      submittedAtMs: state.submittedAtMs,
      endedAtMs: state.endedAtMs,
    }));
  }

  /** Call after the commit: `stored` is what the database holds now. */
  remember(stored: StoredPlan): void {
    const planId = stored.state.plan.plan_id;
    this.#recent.delete(planId);
    if (isFinal(stored.state.status)) return;
    this.#recent.set(planId, stored);
    const oldest = this.#recent.keys().next();
    if (this.#recent.size > this.#capacity && oldest.done !== true) this.#recent.delete(oldest.value);
  }
}
