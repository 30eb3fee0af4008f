import { createHash } from 'node:crypto';
import type { CognitivePlan, ConsolidatedDecision } from '@neural-hive/contracts';
import {
  decide,
  directDecision,
  type ExecutionPolicy,
  type PlanEvent,
  progressOf,
  telemetryOf,
} from '../../domain/index.ts';
import { recordAudit } from './audit.ts';
import { canonicalJson } from './canonical-json.ts';
import { carryOut } from './carry-out.ts';
import type { PlanStore } from './plan-store.ts';
import type { Applied } from './plan-transaction.ts';
import { inTransaction, type SessionPool } from './session-pool.ts';
import { appendTelemetry } from './telemetry-feed.ts';

export interface Submission {
  readonly plan: CognitivePlan;
  /** The decision that the plan came with; without one it was submitted directly. */
  readonly decision?: ConsolidatedDecision | undefined;
  /** SPIFFE ID of who submits. */
  readonly by: string;
  readonly policy: ExecutionPolicy;
  readonly atMs: number;
}

/** Stores a plan and sets it going, all or nothing. `same` when it was here already, `conflict` when another was. */
export async function submitPlan(
  pool: SessionPool,
  store: PlanStore,
  { plan, decision: given, by, policy, atMs }: Submission,
): Promise<Applied | 'same' | 'conflict'> {
  const planId = plan.plan_id;
  // Another decision about the same plan is another content: neither may pass for the other.
  const content = given === undefined ? plan : { plan, decision: given };
  const sha256 = createHash('sha256').update(canonicalJson(content)).digest('hex');
  const decision = given ?? directDecision(plan, by, atMs);
  const event: PlanEvent = { type: 'submitted', atMs, plan, decision, by, policy };
  return inTransaction(pool, async (client) => {
    const key = `plan:${planId}`;
    // The second of two submissions at once waits here for the first.
    const inserted = await client.query(
      'insert into orchestrator.idempotency_key (key, sha256) values ($1, $2) on conflict (key) do nothing',
      [key, sha256],
    );
    if (inserted.rowCount === 0) {
      const { rows } = await client.query<{ sha256: string }>(
        'select sha256 from orchestrator.idempotency_key where key = $1',
        [key],
      );
      return rows[0]?.sha256 === sha256 ? 'same' : 'conflict';
    }
    const first = decide(undefined, event);
    await store.insert(client, first);
    await store.recordEvent(client, planId, 'submitted', 1, event);
    await carryOut(client, planId, first.commands);
    await store.appendProgress(client, planId, progressOf(undefined, first, event));
    await appendTelemetry(client, planId, telemetryOf(undefined, first, event));
    const { final_decision, decision_id } = decision;
    await recordAudit(client, planId, 'submit', by, { sha256, decision: final_decision, decision_id });
    return { event, before: undefined, decision: first };
  });
}
