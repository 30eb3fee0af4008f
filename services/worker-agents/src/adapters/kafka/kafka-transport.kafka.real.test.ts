import { type ExecutionTicket, executionResult, TOPICS } from '@neural-hive/contracts';
import { Secret, silentLogger } from '@neural-hive/security/common';
import { CredentialBoard } from '@neural-hive/service-runtime';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { executionSettings } from '../../domain/execution-settings.ts';
import type { Executor } from '../../domain/executor.ts';
import { TicketWorker } from '../../engine/ticket-worker.ts';
import { workerMetrics } from '../../engine/worker-metrics.ts';
import { KafkaTicketStage, MAX_MESSAGE_BYTES } from '../../testing/kafka-ticket-stage.ts';
import { ticketOf } from '../../testing/tickets.ts';
import type { KafkaTransport } from './kafka-transport.ts';

const LIMIT = { timeout: 180_000, interval: 100 };

let stage: KafkaTicketStage;
const cleanups: (() => Promise<unknown>)[] = [];
let number = 0;

beforeAll(async () => {
  stage = await KafkaTicketStage.open();
}, 240_000);
beforeEach(() => stage.clear());
afterEach(async () => {
  stage.api.fail(undefined);
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}, 120_000);
afterAll(() => stage?.close(), 120_000);

function fresh(fields: Partial<ExecutionTicket> = {}): ExecutionTicket {
  number += 1;
  return ticketOf({ task_type: 'BUILD', ticket_id: `plan-2.task-${number}`, ...fields });
}

async function transport(options: Parameters<KafkaTicketStage['worker']>[1] = {}): Promise<KafkaTransport> {
  number += 1;
  const opened = await stage.worker(`agent-${number}`, options);
  cleanups.push(() => opened.close());
  return opened;
}

/** A whole worker, whose tickets are done at once. */
async function worker(options: Parameters<KafkaTicketStage['worker']>[1] = {}) {
  const opened = await transport(options);
  const executed: string[] = [];
  const execute: Executor['execute'] = async ({ ticket }) => {
    executed.push(ticket.ticket_id);
    return { output: { done: ticket.ticket_id } };
  };
  const running = new TicketWorker({
    source: opened.source,
    secrets: {
      settingsFor: async () => executionSettings.parse({}),
      getExecutionCredentials: async () => new Secret({}),
      storeResult: async () => 'nowhere',
    },
    executors: [
      { type: 'BUILD', execute },
      { type: 'QUERY', execute },
    ],
    capacity: { total: 4, byType: {} },
    publisher: { agentId: `agent-${number}`, spiffeId: 'spiffe://neural-hive.local/ns/a/sa/b' },
    metrics: workerMetrics(new Registry()),
    log: silentLogger,
  });
  cleanups.push(() => running.drain(10_000));
  return { transport: opened, running, executed };
}

/** Publishes until it is stopped, and says what. */
function load(): { published: string[]; stop(): Promise<void> } {
  const published: string[] = [];
  let going = true;
  const loop = (async () => {
    while (going) {
      const ticket = fresh({ task_type: number % 2 === 0 ? 'BUILD' : 'QUERY' });
      await stage.publish(ticket);
      published.push(ticket.ticket_id);
    }
  })();
  return {
    published,
    stop: () => {
      going = false;
      return loop;
    },
  };
}

/** Every ticket has one result that counts. */
async function expectAllDone(ids: readonly string[]): Promise<void> {
  await expect.poll(() => ids.filter((id) => stage.table.resultsOf(id).length === 0), LIMIT).toEqual([]);
  expect(ids.filter((id) => stage.table.resultsOf(id).length !== 1)).toEqual([]);
}

test('messages that are no tickets go to the dead letters with where they lay, and hold up nobody', async () => {
  await worker();
  const topic = TOPICS.tickets('BUILD');
  const good = fresh();
  const another = fresh();
  const messages: [string, string | null, string | Buffer | null][] = [
    ['not-json', 'a', 'no json'],
    ['not-json', null, null],
    ['not-json', 'a', Buffer.from([0xff, 0x00])],
    ['unknown-schema-version', 'a', JSON.stringify({ ...good, schema_version: 2 })],
    ['wrong-shape', 'a', JSON.stringify({ ...good, ticket_id: undefined, priority: 7 })],
    ['wrong-shape', 'another key', JSON.stringify(another)],
    ['wrong-shape', another.ticket_id, JSON.stringify({ ...another, task_type: 'QUERY' })],
    ['too-large', 'a', Buffer.alloc(2 * 1024 * 1024, 'x')],
  ];
  for (const [, key, value] of messages) await stage.send(topic, key, value);
  await stage.publish(good);
  await expectAllDone([good.ticket_id]);
  await expect.poll(() => stage.dead.length, LIMIT).toBe(messages.length);
  const reasons = stage.dead.map((one) => (one.kind === 'unreadable' ? one.reason : one.kind));
  expect(reasons.sort()).toEqual(messages.map(([reason]) => reason).sort());
  for (const one of stage.dead)
    expect(one).toMatchObject({ source: { topic, offset: expect.stringMatching(/^\d+$/) } });
  const large = stage.dead.find((one) => one.kind === 'unreadable' && one.reason === 'too-large');
  expect(large).toMatchObject({ bytes: 2 * 1024 * 1024, value: null });
  await expect.poll(() => stage.lag('BUILD'), LIMIT).toBe(0);
}, 300_000);

test('a result that Kafka does not carry loses its logs, or is told as a failure', async () => {
  const { source } = await transport();
  const outcome = {
    status: 'COMPLETED',
    actual_duration_ms: 1,
    agent_id: 'a',
    spiffe_id: 'spiffe://a/b',
    timestamp: 1,
  };
  const logs = Array.from({ length: 200 }, () => 'l'.repeat(4_000));
  for (const [pieces, status] of [
    [10, 'COMPLETED'],
    [16, 'FAILED'],
  ] as const) {
    const ticket = fresh();
    await stage.publish(ticket);
    const output = Object.fromEntries(Array.from({ length: pieces }, (_, piece) => [`p${piece}`, 'x'.repeat(65_000)]));
    let fencing = 0;
    const ask = async () => {
      const { tickets } = await source.claim({ types: ['BUILD'], agentId: 'a', limit: 1 });
      fencing = tickets[0]?.fencing ?? fencing;
      return fencing;
    };
    await expect.poll(ask, LIMIT).toBeGreaterThan(0);
    const { ticket_id: id, plan_id } = ticket;
    const result = { success: true, output, metadata: {}, logs };
    const whole = executionResult.parse({ ...outcome, ticket_id: id, plan_id, fencing_token: fencing, result });
    expect(Buffer.byteLength(JSON.stringify(whole))).toBeGreaterThan(MAX_MESSAGE_BYTES);
    expect(await source.finish(id, fencing, whole)).toBe(true);
    await expect.poll(() => stage.table.resultsOf(id), LIMIT).toMatchObject([{ status, result: { logs: [] } }]);
  }
}, 300_000);

test('a type with more tickets than places is paused, and does not hold up another', async () => {
  const opened = await transport({ windowTickets: 4 });
  const { source } = opened;
  const builds = Array.from({ length: 40 }, () => fresh());
  for (const ticket of builds) await stage.publish(ticket);
  await expect.poll(() => opened.waiting, LIMIT).toBeGreaterThanOrEqual(4);
  const query = fresh({ task_type: 'QUERY' });
  await stage.publish(query);
  const claimed = async (type: 'BUILD' | 'QUERY') => {
    const { tickets } = await source.claim({ types: [type], agentId: 'a', limit: 2 });
    for (const { ticket, fencing } of tickets) {
      const fields = { ticket_id: ticket.ticket_id, plan_id: ticket.plan_id, fencing_token: fencing };
      const rest = { status: 'COMPLETED', result: { success: true }, actual_duration_ms: 1, agent_id: 'a' } as const;
      const result = executionResult.parse({ ...fields, ...rest, spiffe_id: 'spiffe://a/b', timestamp: 1 });
      await source.finish(ticket.ticket_id, fencing, result);
    }
    return tickets.map(({ ticket }) => ticket.ticket_id);
  };
  await expect.poll(() => claimed('QUERY'), LIMIT).toEqual([query.ticket_id]);
  const done = new Set<string>();
  const more = async () => {
    for (const id of await claimed('BUILD')) done.add(id);
    return done.size;
  };
  await expect.poll(more, LIMIT).toBe(builds.length);
  await expectAllDone(builds.map(({ ticket_id: id }) => id));
}, 300_000);

test('while the orchestrator is away nothing is taken and nothing is lost', async () => {
  const { running } = await worker();
  stage.api.fail(503);
  const tickets = Array.from({ length: 5 }, () => fresh());
  for (const ticket of tickets) await stage.publish(ticket);
  await expect.poll(() => running.connected, LIMIT).toBe(false);
  stage.api.fail(undefined);
  await expectAllDone(tickets.map(({ ticket_id: id }) => id));
  expect(running.connected).toBe(true);
}, 300_000);

test('a broker that is killed and started again costs no ticket, and none is done twice in effect', async () => {
  await worker();
  await worker();
  const work = load();
  await expect.poll(() => stage.table.finished, LIMIT).toBeGreaterThan(20);
  await stage.platform.server.restart();
  const count = work.published.length;
  await expect.poll(() => work.published.length, LIMIT).toBeGreaterThan(count + 20);
  await work.stop();
  await expectAllDone(work.published);
}, 400_000);

test('the login rotates under load: no operation fails, no ticket is lost or counts twice', async () => {
  const logins = await stage.platform.logins('worker-agents');
  cleanups.push(() => logins.close());
  const [a, b] = [await worker({ logins }), await worker()];
  const board = new CredentialBoard();
  board.register(a.transport.entry);
  cleanups.push(() => board.close());
  board.startLoad();
  const work = load();
  const records = [];
  for (let rotation = 0; rotation < 3; rotation += 1) {
    records.push(await board.rotate(a.transport.entry.name));
    const count = stage.table.finished;
    await expect.poll(() => stage.table.finished, LIMIT).toBeGreaterThan(count + 10);
  }
  await work.stop();
  await board.stopLoad();
  await expectAllDone(work.published);
  expect(records.map(({ ok, failed, terminated }) => [ok, failed, terminated])).toEqual(
    records.map(() => [true, 0, 0]),
  );
  expect([...a.transport.connections().keys()]).toEqual([4]);
  const twice = [...a.executed, ...b.executed].length - new Set([...a.executed, ...b.executed]).size;
  expect(twice).toBe(0);
  await expect.poll(async () => (await stage.lag('BUILD')) + (await stage.lag('QUERY')), LIMIT).toBe(0);
}, 400_000);
