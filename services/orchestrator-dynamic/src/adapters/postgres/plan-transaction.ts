import type { ClientBase, PoolClient } from 'pg';
import { type Decision, decide, type PlanEvent, type PlanState, progressOf, telemetryOf } from '../../domain/index.ts';
import { carryOut } from './carry-out.ts';
import { nextEvent } from './plan-inbox.ts';
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

/**
 * Applies the next event of a plan's inbox: lock, decide, carry out, record, all in one transaction. Answers undefined
 * when there is none, or when another process is at this plan.
 */
export async function applyNext(
  { pool, store, checkpoint }: PlanTransactionOptions,
  planId: string,
  nowMs: number,
): Promise<Applied | undefined> {
  let after: StoredPlan | undefined;
  const applied = await inTransaction(pool, async (client) => {
    const stored = await store.lock(client, planId, { wait: false });
    if (stored === undefined) return undefined;
    const next = await nextEvent(client, planId, nowMs);
    if (next === undefined) return undefined;
    await next.settle(client);
    const outcome = await applyEvent(client, store, stored, next.eventId, next.event, checkpoint);
    after = outcome.after;
    return { event: next.event, before: stored.state, decision: outcome.decision };
  });
  checkpoint?.('committed');
  if (after !== undefined) store.remember(after);
  return applied;
}

/** Applies one event from outside, waiting for the plan's lock. `alongside` runs in the same transaction. */
export async function applyGiven(
  { pool, store, checkpoint }: PlanTransactionOptions,
  planId: string,
  given: (stored: StoredPlan) => { eventId: string; event: PlanEvent },
  alongside: (client: PoolClient) => Promise<void> = async () => undefined,
): Promise<Applied | undefined> {
  let after: StoredPlan | undefined;
  const applied = await inTransaction(pool, async (client) => {
    const stored = await store.lock(client, planId, { wait: true });
    if (stored === undefined) return undefined;
    const { eventId, event } = given(stored);
    const outcome = await applyEvent(client, store, stored, eventId, event, checkpoint);
    after = outcome.after;
    if (outcome.decision.refusal === null && outcome.recorded) await alongside(client);
    return { event, before: stored.state, decision: outcome.decision };
  });
  checkpoint?.('committed');
  if (after !== undefined) store.remember(after);
  return applied;
}

async function applyEvent(
  client: ClientBase,
  store: PlanStore,
  stored: StoredPlan,
  eventId: string,
  event: PlanEvent,
  checkpoint: Checkpoint | undefined,
): Promise<{ decision: Decision; recorded: boolean; after: StoredPlan }> {
  const decision = decide(stored.state, event);
  checkpoint?.('decided');
  const same: Decision = { state: stored.state, commands: [], changed: [], refusal: decision.refusal };
  if (decision.refusal !== null) return { decision, recorded: false, after: stored };
  const planId = stored.state.plan.plan_id;
  const recorded = await store.recordEvent(client, planId, eventId, stored.seq + 1, event);
  if (!recorded) return { decision: same, recorded, after: stored };
  await carryOut(client, planId, decision.commands);
  checkpoint?.('carried-out');
  await store.update(client, decision);
  await store.appendProgress(client, planId, progressOf(stored.state, decision, event));
  await appendTelemetry(client, planId, telemetryOf(stored.state, decision, event));
  checkpoint?.('saved');
  return { decision, recorded, after: { state: decision.state, seq: stored.seq + 1 } };
}
