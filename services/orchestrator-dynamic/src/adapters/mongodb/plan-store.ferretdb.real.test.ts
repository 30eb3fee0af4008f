import { type FerretDbServer, startFerretDb } from '@neural-hive/real-stack';
import type { RotatingDb } from '@neural-hive/security/mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DEFAULT_POLICY, type DeadLetter, decide, directDecision, type TelemetryEvent } from '../../domain/index.ts';
import type { NewPlan, PlanSave, TicketRecord } from '../../ports/plan-store.ts';
import { planOf } from '../../testing/plans.ts';
import { mongoClientOf } from '../../testing/temporal-stage.ts';
import { MongoPlanStore } from './plan-store.ts';

let server: FerretDbServer;
let mongo: Awaited<ReturnType<typeof mongoClientOf>>;
let db: RotatingDb;
let store: MongoPlanStore;
let count = 0;

beforeAll(async () => {
  server = await startFerretDb();
  mongo = await mongoClientOf(server);
});
beforeEach(async () => {
  count += 1;
  db = mongo.client.db(`plans_${count}`);
  store = await MongoPlanStore.open(db);
});
afterAll(async () => {
  await mongo?.client.close();
  await mongo?.credential.close();
  await server?.stop();
});

function newPlan(planId: string, tasks: Parameters<typeof planOf>[0] = [{ id: 'a' }], createdAtMs = 1): NewPlan {
  const plan = planOf(tasks, { plan_id: planId });
  const decision = directDecision(plan, 'x', 1);
  const { state } = decide(undefined, { type: 'submitted', atMs: 1, plan, decision, by: 'x', policy: DEFAULT_POLICY });
  const { tickets, plan: _, decision: __, ...head } = state;
  const records = [...tickets.values()].map((ticket, position) => recordOf(ticket, position));
  const line = { type: 'plan', atMs: 1, planId, status: 'ADMITTING', final: false, message: null } as const;
  return {
    planId,
    plan,
    decision,
    createdAtMs,
    tickets: records,
    progress: [{ seq: 1, line }],
    telemetry: [],
    head: { head, timers: [{ id: 'approval-expiry', atMs: 9 }], told: 1 },
  };
}

const recordOf = (state: TicketRecord['state'], position: number, resultToken = 0): TicketRecord => ({
  position,
  state,
  timers: [],
  resultToken,
});

/** The plan as it was, with another status, and its tickets with it. */
function saveOf({ planId, head, tickets }: NewPlan, seq: number, status: 'RUNNING' | 'FAILED'): PlanSave {
  const changed = tickets.map((ticket) => ({
    ...ticket,
    resultToken: seq,
    timers: [{ id: `deadline:${seq}`, atMs: seq }],
  }));
  const line = { type: 'plan', atMs: seq, planId, status, final: false, message: null } as const;
  return {
    planId,
    seq,
    tickets: changed,
    progress: [{ seq, line }],
    telemetry: [{ key: `${planId}/${seq}/0`, event: { plan_id: planId, timestamp: seq } as TelemetryEvent }],
    head: { head: { ...head.head, status }, timers: [], told: seq },
  };
}

describe('a save', () => {
  test('is what is read from then on, in parts as large as asked for', async () => {
    const plan = newPlan('p', [{ id: 'a', parameters: { 'dotted.$name': 'x' } }, { id: 'b' }, { id: 'c' }]);
    expect(await store.find('p')).toBeUndefined();
    await store.create(plan);
    expect((await store.find('p'))?.plan).toEqual(plan.plan);
    await store.save(saveOf(plan, 2, 'RUNNING'));
    expect(await store.readHead('p')).toMatchObject({ seq: 2, told: 2, timers: [], head: { status: 'RUNNING' } });
    const whole = await store.readTickets('p', 0, 1_000_000);
    expect(whole).toEqual(saveOf(plan, 2, 'RUNNING').tickets);
    expect(await store.readTickets('p', 0, 1)).toEqual(whole.slice(0, 1));
    expect(await store.readTickets('p', 2, 1)).toEqual(whole.slice(2));
    expect(await store.readTickets('p', 3, 1)).toEqual([]);
  });

  test('that is made again changes nothing, and one that comes late undoes nothing', async () => {
    const plan = newPlan('p');
    await store.create(plan);
    const [second, third] = [saveOf(plan, 2, 'RUNNING'), saveOf(plan, 3, 'FAILED')];
    for (const save of [second, third, third, second]) await store.save(save);
    expect(await store.readHead('p')).toMatchObject({ seq: 3, head: { status: 'FAILED' } });
    expect(await store.readTickets('p', 0, 1)).toMatchObject([{ resultToken: 3 }]);
    expect((await store.progressAfter('p', 0)).map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect((await store.telemetryAfter('0-0', 10)).events.map(({ timestamp }) => timestamp)).toEqual([2, 3]);
    await store.create(plan);
    expect((await store.find('p'))?.status).toBe('FAILED');
  });

  test('a part of which was written before is written to its end', async () => {
    const plan = newPlan('p', [{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
    await store.create(plan);
    const save = saveOf(plan, 2, 'RUNNING');
    await store.save({ ...save, tickets: save.tickets.slice(1, 2), head: null });
    expect((await store.readHead('p'))?.seq).toBe(1);
    await store.save(save);
    expect((await store.readTickets('p', 0, 1_000_000)).map(({ resultToken }) => resultToken)).toEqual([2, 2, 2]);
  });

  test('a plan of 5,000 tasks is kept and read in parts', { timeout: 300_000 }, async () => {
    const tasks = Array.from({ length: 5_000 }, (_, index) => ({ id: `t${index}` }));
    await store.create(newPlan('large', tasks));
    expect((await store.find('large'))?.tickets.size).toBe(5_000);
    const seen = [];
    for (;;) {
      const page = await store.readTickets('large', seen.length, 500_000);
      if (page.length === 0) break;
      seen.push(...page);
    }
    expect(seen.map(({ state }) => state.taskId)).toEqual(tasks.map(({ id }) => id));
  });
});

test('plans are listed the newest first, then by id, and by status', async () => {
  for (const [planId, atMs] of [
    ['b', 2],
    ['a', 2],
    ['c', 3],
    ['d', 1],
  ] as const) {
    await store.create(newPlan(planId, [{ id: 'x' }], atMs));
  }
  await store.save(saveOf(newPlan('a'), 2, 'FAILED'));
  const ids = async (filter: Parameters<MongoPlanStore['list']>[0]) => (await store.list(filter)).map(({ id }) => id);
  expect(await ids({ limit: 10 })).toEqual(['c', 'a', 'b', 'd']);
  expect(await ids({ limit: 2 })).toEqual(['c', 'a']);
  expect(await ids({ status: 'FAILED', limit: 10 })).toEqual(['a']);
  expect((await store.list({ status: 'FAILED', limit: 1 }))[0]).toMatchObject({ final: true, submittedBy: 'x' });
  expect(await store.countActive()).toBe(3);
  expect(await store.activeAfter('', 2)).toEqual(['b', 'c']);
  expect(await store.activeAfter('c', 2)).toEqual(['d']);
});

test('events that many processes tell at once are in the feed once each, and no reader misses one', async () => {
  const events = (writer: number) =>
    Array.from({ length: 10 }, (_, at) => ({
      key: `w${writer}/${at}`,
      event: { plan_id: `${writer}` } as TelemetryEvent,
    }));
  const others = await Promise.all([1, 2, 3].map(() => MongoPlanStore.open(db)));
  const save = (writer: number) => ({ ...saveOf(newPlan(`w${writer}`), 2, 'RUNNING'), telemetry: events(writer) });
  let writing = true;
  const done = Promise.all(
    others.map((other, writer) => other.save(save(writer)).then(() => other.save(save(writer)))),
  ).then(() => {
    writing = false;
  });
  const seen: string[] = [];
  let after = '0-0';
  for (;;) {
    const last = !writing;
    const page = (await store.telemetryAfter(after, 7)).events;
    seen.push(...page.map(({ cursor }) => cursor));
    after = page.at(-1)?.cursor ?? after;
    if (last && page.length === 0) break;
  }
  await done;
  expect(seen).toEqual(Array.from({ length: 30 }, (_, at) => `0-${at + 1}`));
  await expect(store.telemetryAfter("0' or true", 1)).rejects.toThrow(TypeError);
});

test('a ticket that was given up is kept once, and tried again once', async () => {
  const letter = (ticketId: string, atMs: number) => ({ ticketId, planId: 'p', atMs }) as DeadLetter;
  for (const [ticketId, atMs] of [
    ['a', 1],
    ['b', 2],
    ['a', 3],
  ] as const)
    await store.buryTicket(letter(ticketId, atMs));
  const ids = async (all: boolean) => (await store.deadLetters({ all, limit: 10 })).map(({ ticketId }) => ticketId);
  expect(await ids(false)).toEqual(['b', 'a']);
  expect(await store.markRetried('b', { as: 'x', by: 'me' })).toBe(true);
  expect(await store.markRetried('b', { as: 'y', by: 'you' })).toBe(false);
  expect(await ids(false)).toEqual(['a']);
  expect(await ids(true)).toEqual(['b', 'a']);
  expect(await store.deadLetter('b')).toMatchObject({ atMs: 2, retriedAs: 'x', retriedBy: 'me' });
  expect(await store.deadLetter('none')).toBeUndefined();
});
