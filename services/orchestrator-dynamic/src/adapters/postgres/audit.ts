import type { ClientBase } from 'pg';
import type { WishAction } from '../../ports/plan-engine.ts';

/** One line of the audit trail, in the transaction of what it tells about. */
export async function recordAudit(
  client: ClientBase,
  planId: string,
  action: WishAction | 'submit' | 'retry',
  spiffeId: string,
  detail: Readonly<Record<string, string>>,
): Promise<void> {
  await client.query('insert into orchestrator.audit (plan_id, action, spiffe_id, detail) values ($1, $2, $3, $4)', [
    planId,
    action,
    spiffeId,
    JSON.stringify(detail),
  ]);
}
