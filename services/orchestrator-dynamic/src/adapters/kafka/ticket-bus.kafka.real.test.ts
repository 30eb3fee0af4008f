import { randomUUID } from 'node:crypto';
import {
  type ConsolidatedDecision,
  consolidatedDecision,
  type DeadMessage,
  deadMessage,
  executionTicket,
  KAFKA_GROUPS,
  KAFKA_RIGHTS,
  KAFKA_TOPICS,
  RANK_HEADER,
  TOPICS,
} from '@neural-hive/contracts';
import { KafkaPlatform } from '@neural-hive/real-stack';
import { silentLogger } from '@neural-hive/security/common';
import type { RotatingCredential } from '@neural-hive/security/credentials';
import type { KafkaLogin } from '@neural-hive/security/kafka';
import { CredentialBoard } from '@neural-hive/service-runtime';
import type { Consumer, Producer } from 'kafkajs';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type BusHandlers, RefusedMessageError } from '../../ports/ticket-bus.ts';
import { busMetrics } from './bus-metrics.ts';
import { type OpenTicketBus, openTicketBus } from './ticket-bus.ts';

const LIMIT = { timeout: 120_000 };
const SERVICE = 'orchestrator-dynamic';

let platform: KafkaPlatform;
let logins: RotatingCredential<KafkaLogin>;
let producer: Producer;
let consumer: Consumer;
const seen: { topic: string; key: string; value: unknown; rank: string | undefined }[] = [];
const dead: (DeadMessage & { topic: string })[] = [];
const buses: OpenTicketBus[] = [];

beforeAll(async () => {
  platform = await KafkaPlatform.open({ topics: KAFKA_TOPICS, rights: KAFKA_RIGHTS, maxMessageBytes: 4 * 1024 * 1024 });
  logins = await platform.logins(SERVICE);
  const kafka = platform.superUser();
  producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  consumer = kafka.consumer({ groupId: 'test', sessionTimeout: 30_000, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({
    topics: [TOPICS.tickets('BUILD'), TOPICS.ticketsDlq, TOPICS.decisionsDlq],
    fromBeginning: true,
  });
  await consumer.run({
    eachMessage: async ({ topic, message }) => {
      const value: unknown = JSON.parse(String(message.value));
      if (topic.endsWith('.dlq')) dead.push({ topic, ...deadMessage.parse(value) });
      else seen.push({ topic, key: String(message.key), value, rank: message.headers?.[RANK_HEADER]?.toString() });
    },
  });
}, 240_000);

afterEach(async () => {
  for (const bus of buses.splice(0)) await bus.close();
}, 60_000);

afterAll(async () => {
  await consumer?.disconnect();
  await producer?.disconnect();
  await logins?.close();
  await platform?.close();
}, 60_000);

async function open(handlers?: Partial<BusHandlers>): Promise<OpenTicketBus> {
  const bus = await openTicketBus({
    logins,
    settings: { groupId: KAFKA_GROUPS.decisions, maxMessageBytes: 1_000_000, sessionTimeoutMs: 10_000 },
    client: platform.config(),
    instance: 'orchestrator-1',
    metrics: busMetrics(new Registry()),
    logger: silentLogger,
  });
  buses.push(bus);
  const nothing = async (): Promise<void> => undefined;
  if (handlers !== undefined) await bus.start({ result: nothing, decision: nothing, ...handlers });
  return bus;
}

const send = (topic: string, key: string | null, value: unknown) =>
  producer.send({
    topic,
    messages: [{ key, value: typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value) }],
  });

const ticketOf = (id: string, description = '') =>
  executionTicket.parse({
    ticket_id: id,
    plan_id: 'plan-1',
    intent_id: 'intent-1',
    decision_id: 'decision-1',
    task_id: 'task-1',
    task_type: 'BUILD',
    description,
    priority: 'NORMAL',
    risk_band: 'low',
    sla: { deadline: 4_000_000_000_000, timeout_ms: 20_000, max_retries: 1 },
    qos: { delivery_mode: 'AT_LEAST_ONCE', consistency: 'EVENTUAL', durability: 'PERSISTENT' },
    security_level: 'INTERNAL',
    created_at: 1,
  });

const decisionOf = (id: string): ConsolidatedDecision =>
  consolidatedDecision.parse({
    decision_id: id,
    plan_id: `plan-of-${id}`,
    intent_id: 'intent-1',
    final_decision: 'approve',
    consensus_method: 'unanimous',
    aggregated_confidence: 1,
    aggregated_risk: 0,
    created_at: 1,
  });

const resultOf = (id: string, fencing = 1) => ({
  ticket_id: id,
  plan_id: 'plan-1',
  fencing_token: fencing,
  status: 'COMPLETED',
});

test('a ticket lies in the topic of its type, under its id, with its rank', async () => {
  const bus = await open();
  const id = `ticket-${randomUUID()}`;
  await bus.publish(ticketOf(id), { rankMs: 1_234 });
  const found = () => seen.find(({ key }) => key === id);
  await expect
    .poll(found, LIMIT)
    .toMatchObject({ topic: 'execution.tickets.build', value: ticketOf(id), rank: '1234' });
}, 180_000);

test('a ticket that is larger than a message may be is refused for good, and others go on', async () => {
  const bus = await open();
  const large = {
    ...ticketOf('large'),
    parameters: Object.fromEntries([...'abcdefghijklmnopqrst'].map((name) => [name, 'x'.repeat(60_000)])),
  };
  await expect(bus.publish(large)).rejects.toMatchObject({ code: 'too-large', retryable: false });
  await bus.publish(ticketOf('small'));
}, 180_000);

test('a ticket that was given up lies among the dead letters', async () => {
  const bus = await open();
  const id = `given-up-${randomUUID()}`;
  await bus.bury({
    ticketId: id,
    planId: 'plan-1',
    taskId: 'task-1',
    taskType: 'BUILD',
    compensates: null,
    errorClass: 'execution',
    errorMessage: 'm'.repeat(10_000),
    errorLogs: Array.from({ length: 300 }, (_, line) => `${line}`),
    attempts: 3,
    takeovers: 1,
    agentId: null,
    atMs: 5,
  });
  const found = () => dead.find((one) => one.kind === 'given-up' && one.ticket_id === id);
  await expect.poll(found, LIMIT).toMatchObject({ topic: TOPICS.ticketsDlq, attempts: 3, error_class: 'execution' });
}, 180_000);

test('results and decisions are handed over; what was not done when a process ended comes to the next one', async () => {
  const [done, undone] = [`done-${randomUUID()}`, `undone-${randomUUID()}`];
  const first: string[] = [];
  const decisions: string[] = [];
  const one = await open({
    result: async (ticketId, planId, fencing, result) => {
      expect([planId, fencing, (result as { status: string }).status]).toEqual(['plan-1', 7, 'COMPLETED']);
      if (ticketId === undone) throw new Error('the engine is away');
      first.push(ticketId);
    },
    decision: async ({ decision_id: id }) => void decisions.push(id),
  });
  await send(TOPICS.results, done, resultOf(done, 7));
  await send(TOPICS.decisions, 'plan', decisionOf(`decision-${done}`));
  await expect.poll(() => [first, decisions], LIMIT).toEqual([[done], [`decision-${done}`]]);
  await send(TOPICS.results, undone, resultOf(undone, 7));
  await one.close();
  const second: string[] = [];
  await open({ result: async (ticketId) => void second.push(ticketId) });
  await expect.poll(() => second, LIMIT).toContain(undone);
  expect(second).not.toContain(done);
}, 240_000);

test('what cannot be read or is refused goes to the dead letters of its topic, and does not hold up the others', async () => {
  const results: string[] = [];
  const decisions: string[] = [];
  await open({
    result: async (ticketId) => {
      if (ticketId.startsWith('refused')) throw new RefusedMessageError('nobody waits for it');
      results.push(ticketId);
    },
    decision: async ({ decision_id: id }) => void decisions.push(id),
  });
  dead.length = 0;
  await send(TOPICS.results, 'a', 'no json');
  await send(TOPICS.results, 'b', { ...resultOf('b'), schema_version: 9 });
  await send(TOPICS.results, 'c', { ...resultOf('c'), fencing_token: 'seven' });
  await send(TOPICS.results, 'd', resultOf('under-another-key'));
  await send(TOPICS.results, 'refused', resultOf('refused'));
  await send(TOPICS.results, 'large', Buffer.alloc(2 * 1024 * 1024, 'x'));
  await send(TOPICS.decisions, 'a', { ...decisionOf('wrong'), final_decision: 'perhaps' });
  await send(TOPICS.decisions, 'b', { ...decisionOf('later'), schema_version: 2 });
  const last = `last-${randomUUID()}`;
  await send(TOPICS.results, last, resultOf(last));
  await send(TOPICS.decisions, last, decisionOf(last));
  await expect.poll(() => results.includes(last) && decisions.includes(last), LIMIT).toBe(true);
  const reasons = (topic: string) =>
    dead
      .filter((one) => one.topic === topic)
      .map((one) => (one.kind === 'unreadable' ? one.reason : one.kind))
      .sort();
  await expect
    .poll(() => reasons(TOPICS.ticketsDlq), LIMIT)
    .toEqual(['not-json', 'refused', 'too-large', 'unknown-schema-version', 'wrong-shape', 'wrong-shape']);
  await expect.poll(() => reasons(TOPICS.decisionsDlq), LIMIT).toEqual(['unknown-schema-version', 'wrong-shape']);
  expect(decisions.filter((id) => id === 'wrong' || id === 'later')).toEqual([]);
}, 240_000);

test('the login rotates under load: no ticket fails, no result is lost', async () => {
  const results = new Set<string>();
  const bus = await open({ result: async (ticketId) => void results.add(ticketId) });
  const board = new CredentialBoard();
  board.register(bus.entry);
  board.startLoad();
  const failures: unknown[] = [];
  const sent: string[] = [];
  let going = true;
  const load = (async () => {
    for (let number = 0; going; number += 1) {
      const id = `rotation-${number}`;
      await bus.publish(ticketOf(id)).catch((error: unknown) => failures.push(error));
      await send(TOPICS.results, id, resultOf(id));
      sent.push(id);
    }
  })();
  const records = [];
  for (let rotation = 0; rotation < 3; rotation += 1) records.push(await board.rotate(bus.entry.name));
  going = false;
  await load;
  await board.stopLoad();
  await expect.poll(() => sent.filter((id) => !results.has(id)).length, LIMIT).toBe(0);
  expect(failures).toEqual([]);
  expect(records.map(({ ok, failed, terminated }) => [ok, failed, terminated])).toEqual(
    records.map(() => [true, 0, 0]),
  );
  expect(bus.failure).toBeUndefined();
  const names = (await platform.users.list()).filter((name) => name.startsWith(SERVICE));
  expect(names).toEqual([logins.current().value.username]);
  await board.close();
}, 300_000);
