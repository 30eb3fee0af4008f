import { createHash } from 'node:crypto';
import { recordAudit } from '../postgres/audit.ts';
import { canonicalJson } from '../postgres/canonical-json.ts';
import { inTransaction, type SessionPool } from '../postgres/session-pool.ts';
import type { AuditLine } from './plan-step.ts';

export function sha256Of(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

/** Takes an idempotency key. `taken`: now; `same`: before, for the same content; `conflict`: for another. */
export async function takeKey(
  client: Pick<SessionPool, 'query'>,
  key: string,
  sha256: string,
): Promise<'taken' | 'same' | 'conflict'> {
  const inserted = await client.query(
    'insert into orchestrator.idempotency_key (key, sha256) values ($1, $2) on conflict (key) do nothing',
    [key, sha256],
  );
  if (inserted.rowCount === 1) return 'taken';
  const { rows } = await client.query<{ sha256: string }>(
    'select sha256 from orchestrator.idempotency_key where key = $1',
    [key],
  );
  return rows[0]?.sha256 === sha256 ? 'same' : 'conflict';
}

/** One line of the audit trail, written once for its key. */
export async function recordAuditOnce(
  pool: SessionPool,
  planId: string,
  { key, action, by, detail }: AuditLine,
): Promise<void> {
  await inTransaction(pool, async (client) => {
    if ((await takeKey(client, `audit:${key}`, sha256Of({ action, by, detail }))) !== 'taken') return;
    await recordAudit(client, planId, action, by, detail);
  });
}
