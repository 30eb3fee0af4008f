import type { CognitivePlan, ConsolidatedDecision } from '@neural-hive/contracts';
import { decide, directDecision, type ExecutionPolicy, type PlanEvent, type PlanState } from '../../domain/index.ts';
import type { EngineMetrics } from '../../ports/engine-metrics.ts';
import type { PlanStore } from '../../ports/plan-store.ts';
import { recordAudit } from '../postgres/audit.ts';
import { inTransaction, type SessionPool } from '../postgres/session-pool.ts';
import { sha256Of, takeKey } from './audit-once.ts';
import { count } from './plan-activities.ts';
import { PlanRun } from './plan-run.ts';

export interface Submission {
  readonly plan: CognitivePlan;
  readonly decision: ConsolidatedDecision | undefined;
  readonly by: string;
  readonly policy: ExecutionPolicy;
  readonly atMs: number;
}

interface Submitted {
  readonly created: boolean;
  /** Of a plan that was stored now. */
  readonly state?: PlanState;
}

interface Places {
  readonly pool: SessionPool;
  readonly store: PlanStore;
  readonly metrics: EngineMetrics;
}

/**
 * Takes the plan's idempotency key with a line of the audit trail, then stores the plan. Who dies in between is made good
 * by the next submission of the same plan: the key is taken, the plan is not there, so it is stored then.
 */
export async function submitPlan(
  { pool, store, metrics }: Places,
  { plan, decision: given, by, policy, atMs }: Submission,
): Promise<Submitted | 'conflict'> {
  const planId = plan.plan_id;
  // Another decision about the same plan is another content: neither may pass for the other.
  const sha256 = sha256Of(given === undefined ? plan : { plan, decision: given });
  const decision = given ?? directDecision(plan, by, atMs);
  const { final_decision, decision_id } = decision;
  const key = await inTransaction(pool, async (client) => {
    const taken = await takeKey(client, `plan:${planId}`, sha256);
    const detail = { sha256, decision: final_decision, decision_id };
    if (taken === 'taken') await recordAudit(client, planId, 'submit', by, detail);
    return taken;
  });
  if (key === 'conflict') return 'conflict';
  if (key === 'same' && (await store.readHead(planId)) !== undefined) return { created: false };
  const event: PlanEvent = { type: 'submitted', atMs, plan, decision, by, policy };
  const first = decide(undefined, event);
  const run = PlanRun.begin(first, event);
  const items = run.takeSteps().flatMap((step) => step.items);
  await store.create({
    planId,
    plan,
    decision,
    createdAtMs: atMs,
    tickets: items.flatMap((item) => (item.kind === 'ticket' ? [item.ticket] : [])),
    progress: items.flatMap((item) => (item.kind === 'progress' ? [item.progress] : [])),
    telemetry: items.flatMap((item) => (item.kind === 'telemetry' ? [item.telemetry] : [])),
    head: run.headRecord(),
  });
  if (key === 'taken') {
    metrics.planSubmitted();
    for (const item of items) if (item.kind === 'count' && item.count.type !== 'event') count(metrics, item.count, 0);
  }
  return { created: key === 'taken', state: first.state };
}
