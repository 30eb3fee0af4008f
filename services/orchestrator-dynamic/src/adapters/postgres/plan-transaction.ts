import type { ClientBase, PoolClient } from 'pg';
import {
  type Decision,
  decide,
  type PlanEvent,
  type PlanState,
  type ProgressLine,
  progressOf,
  type TelemetryEvent,
  telemetryOf,
} from '../../domain/index.ts';
import { carryOut } from './carry-out.ts';
import { type InboxEvent, nextEvents } from './plan-inbox.ts';
import type { PlanStore, StoredPlan } from './plan-store.ts';
import { inTransaction, type SessionPool } from './session-pool.ts';
import { appendTelemetry } from './telemetry-feed.ts';

/** Stops a transaction on purpose; tests use it to die at every place where a process can. */
export type Checkpoint = (name: 'decided' | 'carried-out' | 'saved' | 'committed') => void;

export interface PlanTransactionOptions {
  readonly pool: SessionPool;
  readonly store: PlanStore;
  readonly checkpoint?: Checkpoint | undefined;
}

export interface Applied {
  readonly event: PlanEvent;
  readonly before: PlanState | undefined;
  readonly decision: Decision;
}

/** More would keep a plan's row locked, and what people wish of it waiting. */
const MOST_AT_ONCE = 32;

/**
 * Applies the next events of a plan's inbox: lock, decide, carry out, record, all in one transaction, since most of what an
 * event costs is the transaction. Answers none when there is none, or when another process is at this plan.
 */
export async function applyNext(
  { pool, store, checkpoint }: PlanTransactionOptions,
  planId: string,
  nowMs: number,
): Promise<readonly Applied[]> {
  let after: StoredPlan | undefined;
  const applied = await inTransaction(pool, async (client) => {
    const stored = await store.lock(client, planId, { wait: false });
    if (stored === undefined) return [];
    const next = await nextEvents(client, planId, nowMs, MOST_AT_ONCE);
    if (next.events.length === 0) return [];
    await next.settle(client);
    const outcome = await applyEvents(client, store, stored, next.events, checkpoint);
    after = outcome.after;
    return outcome.applied;
  });
  checkpoint?.('committed');
  if (after !== undefined) store.remember(after);
  return applied;
}

/** Applies one event from outside, waiting for the plan's lock. `alongside` runs in the same transaction. */
export async function applyGiven(
  { pool, store, checkpoint }: PlanTransactionOptions,
  planId: string,
  given: (stored: StoredPlan) => InboxEvent,
  alongside: (client: PoolClient) => Promise<void> = async () => undefined,
): Promise<Applied | undefined> {
  let after: StoredPlan | undefined;
  const applied = await inTransaction(pool, async (client) => {
    const stored = await store.lock(client, planId, { wait: true });
    if (stored === undefined) return undefined;
    const outcome = await applyEvents(client, store, stored, [given(stored)], checkpoint);
    after = outcome.after;
    const [only] = outcome.applied;
    if (only?.decision.refusal === null && outcome.after.seq > stored.seq) await alongside(client);
    return only;
  });
  checkpoint?.('committed');
  if (after !== undefined) store.remember(after);
  return applied;
}

/** One event after another; what they came to is written once. One that is refused, or was recorded before, changes nothing. */
async function applyEvents(
  client: ClientBase,
  store: PlanStore,
  stored: StoredPlan,
  events: readonly InboxEvent[],
  checkpoint: Checkpoint | undefined,
): Promise<{ applied: readonly Applied[]; after: StoredPlan }> {
  const planId = stored.state.plan.plan_id;
  const applied: Applied[] = [];
  const changed = new Set<string>();
  const progress: ProgressLine[] = [];
  const telemetry: TelemetryEvent[] = [];
  let { state, seq } = stored;
  for (const { eventId, event } of events) {
    const decision = decide(state, event);
    checkpoint?.('decided');
    if (decision.refusal !== null || !(await store.recordEvent(client, planId, eventId, seq + 1, event))) {
      applied.push({ event, before: state, decision: { state, commands: [], changed: [], refusal: decision.refusal } });
      continue;
    }
    await carryOut(client, planId, decision.commands);
    checkpoint?.('carried-out');
    progress.push(...progressOf(state, decision, event));
    telemetry.push(...telemetryOf(state, decision, event));
    for (const ticketId of decision.changed) changed.add(ticketId);
    applied.push({ event, before: state, decision });
    state = decision.state;
    seq += 1;
  }
  if (seq > stored.seq) {
    await store.update(client, { state, seq }, [...changed]);
    await store.appendProgress(client, planId, progress);
    await appendTelemetry(client, planId, telemetry);
    checkpoint?.('saved');
  }
  return { applied, after: { state, seq } };
}
