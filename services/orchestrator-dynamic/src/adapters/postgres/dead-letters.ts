import type { ClientBase } from 'pg';
import type { DeadLetter } from '../../domain/index.ts';
import type { StoredDeadLetter } from '../../ports/plan-engine.ts';
import type { SessionPool } from './session-pool.ts';

interface Row {
  letter: DeadLetter;
  retried_as: string | null;
  retried_by: string | null;
}

const COLUMNS = 'letter, retried_as, retried_by';
const shape = ({ letter, retried_as: retriedAs, retried_by: retriedBy }: Row): StoredDeadLetter => ({
  ...letter,
  retriedAs,
  retriedBy,
});

export async function buryTicket(client: ClientBase, letter: DeadLetter): Promise<void> {
  await client.query(
    'insert into orchestrator.dead_letter (ticket_id, plan_id, letter) values ($1, $2, $3) on conflict do nothing',
    [letter.ticketId, letter.planId, JSON.stringify(letter)],
  );
}

/** The newest first; `all` also those that were tried again. */
export async function listDeadLetters(
  pool: SessionPool,
  { all, limit }: { all: boolean; limit: number },
): Promise<readonly StoredDeadLetter[]> {
  const { rows } = await pool.query<Row>(
    `select ${COLUMNS} from orchestrator.dead_letter where $1 or retried_as is null
      order by at desc, ticket_id limit $2`,
    [all, limit],
  );
  return rows.map(shape);
}

export async function findDeadLetter(
  client: Pick<ClientBase, 'query'> | SessionPool,
  ticketId: string,
): Promise<StoredDeadLetter | undefined> {
  const { rows } = await client.query<Row>(`select ${COLUMNS} from orchestrator.dead_letter where ticket_id = $1`, [
    ticketId,
  ]);
  return rows.map(shape)[0];
}

/** False when it was tried again before. */
export async function markRetried(
  client: Pick<ClientBase, 'query'> | SessionPool,
  ticketId: string,
  { as, by }: { as: string; by: string },
): Promise<boolean> {
  const { rowCount } = await client.query(
    `update orchestrator.dead_letter set retried_as = $2, retried_by = $3, retried_at = clock_timestamp()
      where ticket_id = $1 and retried_as is null`,
    [ticketId, as, by],
  );
  return rowCount === 1;
}
