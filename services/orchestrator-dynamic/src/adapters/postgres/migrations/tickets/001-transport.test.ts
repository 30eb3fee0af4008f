import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startTestDatabase, type TestDatabase } from '../../../../testing/test-database.ts';

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await startTestDatabase();
  client = await database.connect();
});

afterEach(async () => {
  await client.query('delete from tickets.ticket');
});

afterAll(async () => {
  await client?.end();
  await database?.stop();
});

async function publish(ticketId: string, publication = 0, options: { type?: string; priority?: number } = {}) {
  const payload = { ticket_id: ticketId, plan_id: 'p', task_type: options.type ?? 'BUILD', sla: { deadline: 1 } };
  const { rows } = await client.query('select tickets.publish($1, $2, $3) as ok', [
    publication,
    options.priority ?? 1,
    payload,
  ]);
  return rows[0].ok;
}

interface Claim {
  ticket_id: string;
  fencing_token: string;
  attempt: number;
}

async function claim(limit = 10): Promise<Claim[]> {
  return (await client.query<Claim>("select * from tickets.claim(array['BUILD'], 'agent-1', $1)", [limit])).rows;
}

async function call(name: 'heartbeat' | 'release', ticketId: string, fencing: string | undefined): Promise<boolean> {
  return (await client.query(`select tickets.${name}($1, $2) as ok`, [ticketId, fencing])).rows[0].ok;
}

async function finish(ticketId: string, fencing: string | undefined): Promise<boolean> {
  const { rows } = await client.query('select tickets.finish($1, $2, $3) as ok', [
    ticketId,
    fencing,
    { status: 'COMPLETED' },
  ]);
  return rows[0].ok;
}

async function silence(ticketId: string): Promise<void> {
  await client.query(
    "update tickets.ticket set heartbeat_at = clock_timestamp() - interval '4 seconds' where ticket_id = $1",
    [ticketId],
  );
}

describe('ticket transport', () => {
  test('a ticket is claimed once, by type, the highest priority first', async () => {
    await publish('low', 0, { priority: 0 });
    await publish('critical', 0, { priority: 3 });
    await publish('other', 0, { type: 'QUERY' });
    expect((await claim()).map((row) => row.ticket_id)).toEqual(['critical', 'low']);
    expect(await claim()).toEqual([]);
  });

  test('two workers that claim together never get the same ticket', async () => {
    for (let index = 0; index < 20; index += 1) await publish(`t${index}`);
    const other = await database.connect();
    const statement = "select * from tickets.claim(array['BUILD'], 'agent', 20)";
    const claims = await Promise.all([client.query(statement), other.query(statement), client.query(statement)]);
    await other.end();
    const ids = claims.flatMap(({ rows }) => rows.map((row) => row.ticket_id));
    expect(ids).toHaveLength(20);
    expect(new Set(ids).size).toBe(20);
  });

  test('a silent holder loses its ticket to a higher fencing token, and its late result is refused', async () => {
    await publish('t');
    const [first] = await claim();
    expect(await call('heartbeat', 't', first?.fencing_token)).toBe(true);
    await silence('t');
    const [second] = await claim();
    expect(second?.attempt).toBe(2);
    expect(Number(second?.fencing_token)).toBeGreaterThan(Number(first?.fencing_token));
    expect(await call('heartbeat', 't', first?.fencing_token)).toBe(false);
    expect(await finish('t', first?.fencing_token)).toBe(false);
    expect(await finish('t', second?.fencing_token)).toBe(true);
    const { rows } = await client.query('select fencing_token from tickets.result');
    expect(rows).toEqual([{ fencing_token: second?.fencing_token }]);
    const taken = await client.query('select takeover from tickets.claimed order by fencing_token');
    expect(taken.rows).toEqual([{ takeover: false }, { takeover: true }]);
  });

  test('finishing again with the same token answers true and stores one result', async () => {
    await publish('t');
    const [held] = await claim();
    expect(await finish('t', held?.fencing_token)).toBe(true);
    expect(await finish('t', held?.fencing_token)).toBe(true);
    expect((await client.query('select from tickets.result')).rowCount).toBe(1);
  });

  test('a released ticket is claimed again at once', async () => {
    await publish('t');
    const [held] = await claim();
    expect(await call('release', 't', held?.fencing_token)).toBe(true);
    expect(await call('release', 't', held?.fencing_token)).toBe(false);
    expect(await claim()).toMatchObject([{ ticket_id: 't', attempt: 2 }]);
  });

  test('a cancelled ticket is gone for its holder, and a claimed one is cancelled only on demand', async () => {
    await publish('t');
    const [held] = await claim();
    const cancel = async (claimed: boolean) =>
      (await client.query('select tickets.cancel($1, $2) as was', ['t', claimed])).rows[0].was;
    expect(await cancel(false)).toBe('claimed');
    expect(await call('heartbeat', 't', held?.fencing_token)).toBe(true);
    expect(await cancel(true)).toBe('claimed');
    expect(await call('heartbeat', 't', held?.fencing_token)).toBe(false);
    expect(await finish('t', held?.fencing_token)).toBe(false);
    expect(await cancel(true)).toBe('cancelled');
  });

  test('a publication is queued once, the next one only after the last has finished', async () => {
    expect(await publish('t', 0)).toBe(true);
    expect(await publish('t', 0)).toBe(false);
    expect(await publish('t', 1)).toBe(false);
    const [held] = await claim();
    await finish('t', held?.fencing_token);
    expect(await publish('t', 0)).toBe(false);
    expect(await publish('t', 1)).toBe(true);
    expect(await claim()).toMatchObject([{ ticket_id: 't', attempt: 2 }]);
  });
});

test('the release history shows applied deployments and when they were undone', async () => {
  const deploy = { task_type: 'DEPLOY', plan_id: 'p', sla: { deadline: 1 } };
  const completed = { status: 'COMPLETED', result: { output: { release_id: 'r1', target: 'demo' } } };
  await client.query('select tickets.publish(0, 1, $1)', [{ ...deploy, ticket_id: 'd1' }]);
  const claimed = await client.query("select * from tickets.claim(array['DEPLOY', 'COMPENSATE'], 'a', 1)");
  await client.query('select tickets.finish($1, $2, $3)', ['d1', claimed.rows[0].fencing_token, completed]);
  const history = async () => (await client.query('select * from releases.history')).rows;
  expect(await history()).toEqual([]);
  await client.query('update tickets.result set applied = true');
  const row = { release_id: 'r1', target: 'demo', plan_id: 'p', ticket_id: 'd1' };
  expect(await history()).toEqual([{ ...row, released_at: expect.any(Date), undone_at: null }]);

  const undo = { ...deploy, ticket_id: 'c1', task_type: 'COMPENSATE', compensates: { ticket_id: 'd1' } };
  await client.query('select tickets.publish(0, 1, $1)', [undo]);
  const again = await client.query("select * from tickets.claim(array['COMPENSATE'], 'a', 1)");
  await client.query('select tickets.finish($1, $2, $3)', ['c1', again.rows[0].fencing_token, completed]);
  await client.query('update tickets.result set applied = true');
  expect(await history()).toEqual([{ ...row, released_at: expect.any(Date), undone_at: expect.any(Date) }]);
});
