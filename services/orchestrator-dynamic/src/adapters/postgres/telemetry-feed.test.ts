import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TelemetryEvent } from '../../domain/index.ts';
import { startTestDatabase, type TestDatabase } from '../../testing/test-database.ts';
import { appendTelemetry, readTelemetry } from './telemetry-feed.ts';

let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await startTestDatabase();
  pool = new pg.Pool({ ...database.orchestrator, max: 4 });
  pool.on('error', () => undefined);
});
afterAll(async () => {
  await pool?.end();
  await database?.stop();
});

const eventOf = (name: string) => ({ event_type: 'FLOW_C_STARTED', plan_id: name }) as TelemetryEvent;

async function read(after: string, limit = 10) {
  const { events } = await readTelemetry(pool, { after, limit });
  return events.map(({ plan_id, cursor }) => ({ plan_id, cursor }));
}

test('events are read in pages, each one once', async () => {
  const client = await pool.connect();
  await appendTelemetry(client, 'p', [eventOf('first'), eventOf('second')]);
  await appendTelemetry(client, 'p', [eventOf('third')]);
  await appendTelemetry(client, 'p', []);
  client.release();
  const page = await read('0-0', 2);
  expect(page.map(({ plan_id }) => plan_id)).toEqual(['first', 'second']);
  const rest = await read(page[1]?.cursor ?? '');
  expect(rest.map(({ plan_id }) => plan_id)).toEqual(['third']);
  expect(await read(rest[0]?.cursor ?? '')).toEqual([]);
});

test('an event whose transaction takes long is not lost behind one that came later', async () => {
  const [newest] = (await read('0-0')).slice(-1);
  const cursor = newest?.cursor ?? '0-0';
  const [slow, quick] = [await pool.connect(), await pool.connect()];
  await slow.query('begin');
  await appendTelemetry(slow, 'p', [eventOf('slow')]);
  await appendTelemetry(quick, 'p', [eventOf('quick')]);
  expect(await read(cursor)).toEqual([]);
  await slow.query('commit');
  expect((await read(cursor)).map(({ plan_id }) => plan_id)).toEqual(['slow', 'quick']);
  for (const client of [slow, quick]) client.release();
});

test('a place that is none is refused', async () => {
  await expect(read("0-0' or true")).rejects.toThrow(TypeError);
});
