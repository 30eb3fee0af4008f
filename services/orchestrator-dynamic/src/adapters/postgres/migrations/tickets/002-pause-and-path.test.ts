import type pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startTestDatabase, type TestDatabase } from '../../../../testing/test-database.ts';

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await startTestDatabase();
  client = await database.connect();
});
afterEach(async () => {
  await client.query('delete from tickets.ticket; delete from tickets.pause');
});
afterAll(async () => {
  await client?.end();
  await database?.stop();
});

const payloadOf = (ticketId: string, planId: string, deadline = 1) => ({
  ticket_id: ticketId,
  plan_id: planId,
  task_type: 'BUILD',
  sla: { deadline },
});

async function publish(ticketId: string, { plan = 'p', rank }: { plan?: string; rank?: number } = {}) {
  await client.query('select tickets.publish(0, 1, $1, $2)', [payloadOf(ticketId, plan), rank ?? null]);
}

async function claim(): Promise<{ ticket_id: string; fencing_token: string; deadline_ms: string }[]> {
  return (await client.query("select * from tickets.claim(array['BUILD'], 'agent', 10)")).rows;
}

const idsOf = (rows: { ticket_id: string }[]): string[] => rows.map((row) => row.ticket_id);

test('tickets of a paused plan are claimed by nobody until it is resumed', async () => {
  await publish('a', { plan: 'paused' });
  await publish('b', { plan: 'other' });
  await client.query("select tickets.pause('paused'); select tickets.pause('paused')");
  expect(idsOf(await claim())).toEqual(['b']);
  await client.query("select tickets.resume('paused')");
  expect(idsOf(await claim())).toEqual(['a']);
});

test('a ticket of a paused plan is not taken over from a silent holder, and one handed back stays', async () => {
  for (const id of ['silent', 'released']) await publish(id);
  const held = await claim();
  await client.query("select tickets.pause('p')");
  await client.query(
    "update tickets.ticket set heartbeat_at = clock_timestamp() - interval '9 s' where ticket_id = 'silent'",
  );
  const token = held.find(({ ticket_id }) => ticket_id === 'released')?.fencing_token;
  await client.query("select tickets.release('released', $1)", [token]);
  expect(await claim()).toEqual([]);
  await client.query("select tickets.resume('p')");
  expect(idsOf(await claim()).sort()).toEqual(['released', 'silent']);
});

test('those who wait are told when a plan is resumed', async () => {
  const listener = await database.connect();
  try {
    await publish('a');
    await client.query("select tickets.pause('p')");
    await listener.query('listen tickets_ready');
    const told = new Promise((resolve) => listener.once('notification', ({ payload }) => resolve(payload)));
    await client.query("select tickets.resume('p')");
    expect(await told).toBe('BUILD');
  } finally {
    await listener.end();
  }
});

test('the lowest rank comes first within a priority; without one a ticket ranks by when it came', async () => {
  const nowMs = Date.now();
  await publish('late', { rank: nowMs });
  await publish('unranked');
  await publish('long', { rank: nowMs - 60_000 });
  await client.query('select tickets.publish(0, 2, $1, $2)', [payloadOf('high', 'p'), nowMs + 60_000]);
  expect(idsOf(await claim())).toEqual(['high', 'long', 'late', 'unranked']);
});

test('a deadline moves for a ticket that has not ended, and its next claim brings the new one', async () => {
  await publish('a');
  await client.query('select tickets.postpone($1)', [payloadOf('a', 'p', 99)]);
  const [first] = await claim();
  expect(first?.deadline_ms).toBe('99');
  await client.query("select tickets.finish('a', $1, '{}')", [first?.fencing_token]);
  await client.query('select tickets.postpone($1)', [payloadOf('a', 'p', 100)]);
  const { rows } = await client.query("select deadline_ms from tickets.ticket where ticket_id = 'a'");
  expect(rows).toEqual([{ deadline_ms: '99' }]);
});
