import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type FerretDbServer, startFerretDb } from '@neural-hive/real-stack';
import { Secret } from '@neural-hive/security/common';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Execution } from '../domain/executor.ts';
import { failureOf, type TicketFailure } from '../domain/failure.ts';
import { executionOf, ticketOf } from '../testing/tickets.ts';
import { queryExecutor } from './query.ts';

let server: FerretDbServer;
let admin: MongoClient;
const never = () => Promise.reject(new Error('nothing of PostgreSQL is asked for'));

beforeAll(async () => {
  server = await startFerretDb();
  const { username, password } = server;
  admin = await MongoClient.connect(server.uri, { auth: { username, password: password.reveal() } });
  await admin
    .db('releases')
    .collection<{ _id: number; target: string; at: Date }>('history')
    .insertMany(
      Array.from({ length: 250 }, (_, n) => ({ _id: n, target: n % 2 === 0 ? 'web' : 'api', at: new Date(n) })),
    );
}, 120_000);
afterAll(async () => {
  await admin?.close();
  await server?.stop();
});

function run(parameters: Record<string, string>, more: Partial<Execution> = {}, uri = server.uri) {
  const mongodbUri = uri.replace('/?', '/releases?');
  const executor = queryExecutor({ lease: never, database: { host: '127.0.0.1', port: 1, database: 'x' }, mongodbUri });
  const credentials = async () =>
    new Secret({ mongodb_username: server.username, mongodb_password: server.password.reveal() });
  const ticket = ticketOf({ task_type: 'QUERY', parameters: { collection: 'history', ...parameters } });
  return executor.execute(executionOf(ticket, { credentials, ...more }));
}

async function failure(running: Promise<unknown>): Promise<TicketFailure> {
  const error = await running.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Error);
  return failureOf(error);
}

test('a filter, a projection and an order are answered with documents, dates as they were', async () => {
  const { output } = await run({
    filter: '{"at":{"$lt":{"$date":"1970-01-01T00:00:00.003Z"}}}',
    projection: '{"at":1}',
    sort: '{"_id":-1}',
  });
  expect(JSON.parse(output.rows ?? '')).toEqual([
    { _id: 2, at: { $date: '1970-01-01T00:00:00.002Z' } },
    { _id: 1, at: { $date: '1970-01-01T00:00:00.001Z' } },
    { _id: 0, at: { $date: '1970-01-01T00:00:00Z' } },
  ]);
  expect(output).toMatchObject({ row_count: '3', truncated: 'false' });
});

test('a pipeline adds up', async () => {
  const pipeline = '[{"$match":{"_id":{"$lt":10}}},{"$group":{"_id":"$target","n":{"$sum":1}}},{"$sort":{"_id":1}}]';
  expect(JSON.parse((await run({ pipeline })).output.rows ?? '')).toEqual([
    { _id: 'api', n: 5 },
    { _id: 'web', n: 5 },
  ]);
});

test('rows are limited over several batches, and the output says so', async () => {
  expect((await run({})).output).toMatchObject({ row_count: '250', truncated: 'false' });
  const settings = { ...executionOf(ticketOf({ task_type: 'QUERY' })).settings, max_rows: 120 };
  expect((await run({}, { settings })).output).toMatchObject({ row_count: '120', truncated: 'true' });
});

test('what the server does not know is refused for good', async () => {
  expect(await failure(run({ filter: '{"_id":{"$unknown":1}}' }))).toMatchObject({ code: 'parameters' });
  expect(await failure(run({ pipeline: '[{"$unknown":{}}]' }))).toMatchObject({ code: 'parameters' });
});

test('a wrong login is told without it, and may be right the next time', async () => {
  const credentials = async () => new Secret({ mongodb_username: server.username, mongodb_password: 'wrong-password' });
  const refused = await failure(run({}, { credentials }));
  expect(refused.code).toBe('backend');
  expect(refused.message).not.toContain('wrong-password');
});

test('no connection is left of a ticket that ended, and none of one that was cancelled', async () => {
  const port = Number(new URL(server.uri.replace('mongodb:', 'http:')).port);
  const open = new Set<Socket>();
  let opened = 0;
  const proxy = createServer((socket) => {
    opened += 1;
    open.add(socket);
    const onward = connect(port, '127.0.0.1');
    socket.on('error', () => onward.destroy()).on('close', () => open.delete(socket));
    onward.on('error', () => socket.destroy());
    socket.pipe(onward).pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const uri = server.uri.replace(`:${port}`, `:${(proxy.address() as AddressInfo).port}`);
  try {
    expect((await run({}, {}, uri)).output.row_count).toBe('250');
    await vi.waitFor(() => expect(open.size).toBe(0), { timeout: 10_000 });
    const stop = new AbortController();
    const connected = once(proxy, 'connection');
    const running = run({}, { signal: stop.signal }, uri);
    const before = opened;
    await connected;
    stop.abort(new Error('cancelled'));
    await expect(running).rejects.toThrow('cancelled');
    expect(opened).toBeGreaterThan(before);
    await vi.waitFor(() => expect(open.size).toBe(0), { timeout: 10_000 });
  } finally {
    proxy.close();
  }
});
