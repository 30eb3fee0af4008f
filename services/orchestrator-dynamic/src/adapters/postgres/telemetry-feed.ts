import type { ClientBase } from 'pg';
import type { TelemetryEvent } from '../../domain/index.ts';
import { TELEMETRY_CURSOR, type TelemetryPage } from '../../ports/plan-engine.ts';
import type { SessionPool } from './session-pool.ts';

export async function appendTelemetry(
  client: ClientBase,
  planId: string,
  events: readonly TelemetryEvent[],
): Promise<void> {
  if (events.length === 0) return;
  await client.query('insert into orchestrator.telemetry (plan_id, event) select $1, unnest($2::jsonb[])', [
    planId,
    events.map((event) => JSON.stringify(event)),
  ]);
}

/**
 * What comes behind `after`, oldest first. Only what every transaction older than it has decided about: a line never
 * appears before one that was read already.
 */
export async function readTelemetry(
  pool: SessionPool,
  { after, limit }: { after: string; limit: number },
): Promise<TelemetryPage> {
  const [, xid, seq] = TELEMETRY_CURSOR.exec(after) ?? [];
  if (xid === undefined || seq === undefined) throw new TypeError('after: must be the cursor of an event');
  const { rows } = await pool.query<{ xid: string; seq: string; event: TelemetryEvent }>(
    `select xid::text, seq::text, event from orchestrator.telemetry
      where (xid, seq) > ($1::text::xid8, $2::bigint) and xid < pg_snapshot_xmin(pg_current_snapshot())
      order by xid, seq limit $3`,
    [xid, seq, limit],
  );
  return { events: rows.map((row) => ({ ...row.event, cursor: `${row.xid}-${row.seq}` })) };
}
