import { CLAIM_SILENCE_MS, type ExecutionTicket, SPIFFE_IDS } from '@neural-hive/contracts';
import { type FerretDbServer, startFerretDb } from '@neural-hive/real-stack';
import { FakeClock } from '@neural-hive/security/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DEFAULT_POLICY, decide, directDecision } from '../../domain/index.ts';
import { planOf } from '../../testing/plans.ts';
import { mongoClientOf } from '../../testing/temporal-stage.ts';
import { MongoTicketDesk } from './ticket-desk.ts';

let server: FerretDbServer;
let mongo: Awaited<ReturnType<typeof mongoClientOf>>;
let clock: FakeClock;
let desk: MongoTicketDesk;
let count = 0;
let databases = 0;

beforeAll(async () => {
  server = await startFerretDb();
  mongo = await mongoClientOf(server);
});
beforeEach(() => {
  clock = new FakeClock();
  // Fencing tokens are counted over all tickets of a database.
  databases += 1;
  desk = new MongoTicketDesk(mongo.client.db(`desk${databases}`), { clock });
});
afterAll(async () => {
  await mongo?.client.close();
  await mongo?.credential.close();
  await server?.stop();
});

/** A ticket as the reducer publishes it, of a plan that no other test has. */
function ticketOf(retryCount = 0): ExecutionTicket {
  count += 1;
  const plan = planOf([{ id: 'a' }], { plan_id: `desk-${count}` });
  const decision = directDecision(plan, 'x', 1);
  const first = decide(undefined, { type: 'submitted', atMs: 1, plan, decision, by: 'x', policy: DEFAULT_POLICY });
  const { commands } = decide(first.state, { type: 'admitted', atMs: 2, warning: null });
  const published = commands.find((command) => command.type === 'publishTicket');
  if (published?.type !== 'publishTicket') throw new Error('nothing was published');
  return { ...published.ticket, retry_count: retryCount };
}

const spiffeId = SPIFFE_IDS.worker;
const claim = (ticket: ExecutionTicket, agentId = 'one') =>
  desk.claim(ticket.ticket_id, { agentId, spiffeId, retryCount: ticket.retry_count });
const RESULT = { status: 'COMPLETED' };

describe('item 45: a ticket goes from state to state, and no way back', () => {
  test('it is offered, claimed once, kept alive, finished once', async () => {
    const ticket = ticketOf();
    const id = ticket.ticket_id;
    expect((await claim(ticket)).answer).toEqual({ outcome: 'gone' });
    expect(await desk.offer(ticket)).toBe(true);
    expect(await desk.offer(ticket)).toBe(true);
    const { answer, news } = await claim(ticket);
    expect(answer).toEqual({ outcome: 'granted', fencing_token: 1, attempt: 1 });
    expect(news).toMatchObject({
      planId: ticket.plan_id,
      event: { type: 'claimed', fencingToken: 1, takeover: false },
    });
    expect(await desk.offer(ticket)).toBe(false);
    expect((await claim(ticket, 'two')).answer).toMatchObject({ outcome: 'held', retry_after_ms: CLAIM_SILENCE_MS });
    expect(await desk.heartbeat(id, { fencingToken: 1, spiffeId })).toEqual({ outcome: 'held' });
    expect(await desk.finish(id, 2, RESULT)).toBe('discarded');
    expect(await desk.finish(id, 1, RESULT)).toMatchObject({ event: { type: 'result', fencingToken: 1 } });
    expect(await desk.finish(id, 1, RESULT)).toMatchObject({ event: { type: 'result', fencingToken: 1 } });
    expect((await claim(ticket, 'two')).answer).toEqual({ outcome: 'gone' });
    expect(await desk.heartbeat(id, { fencingToken: 1, spiffeId })).toEqual({ outcome: 'lost' });
    expect(await desk.release(id, { fencingToken: 1, spiffeId })).toEqual({ outcome: 'lost' });
    expect(await desk.finish('tkt-none', 1, RESULT)).toBe('unknown');
  });

  test('a silent holder loses its ticket to a higher token, and its late result counts for nothing', async () => {
    const ticket = ticketOf();
    await desk.offer(ticket);
    await claim(ticket);
    await clock.advance(CLAIM_SILENCE_MS - 1);
    expect((await claim(ticket, 'two')).answer).toMatchObject({ outcome: 'held' });
    await clock.advance(1);
    const { answer, news } = await claim(ticket, 'two');
    expect(answer).toEqual({ outcome: 'granted', fencing_token: 2, attempt: 2 });
    expect(news?.event).toMatchObject({ takeover: true, agentId: 'two' });
    expect(await desk.heartbeat(ticket.ticket_id, { fencingToken: 1, spiffeId })).toEqual({ outcome: 'lost' });
    expect(await desk.finish(ticket.ticket_id, 1, RESULT)).toBe('discarded');
  });

  test('what is handed back is claimed at once, under a higher token', async () => {
    const ticket = ticketOf();
    await desk.offer(ticket);
    await claim(ticket);
    const own = { fencingToken: 1, spiffeId };
    expect(await desk.release(ticket.ticket_id, { ...own, spiffeId: SPIFFE_IDS.operator })).toEqual({
      outcome: 'lost',
    });
    expect(await desk.release(ticket.ticket_id, own)).toEqual({ outcome: 'released' });
    expect(await desk.finish(ticket.ticket_id, 1, RESULT)).toBe('discarded');
    expect((await claim(ticket, 'two')).answer).toMatchObject({ outcome: 'granted', fencing_token: 2 });
  });

  test('another attempt is offered only when the one before has finished, and the old message is good for nothing', async () => {
    const ticket = ticketOf();
    const again = { ...ticket, retry_count: 1 };
    await desk.offer(ticket);
    expect(await desk.offer(again)).toBe(false);
    await claim(ticket);
    await desk.finish(ticket.ticket_id, 1, { status: 'FAILED' });
    expect(await desk.offer(again)).toBe(true);
    expect((await claim(ticket)).answer).toEqual({ outcome: 'gone' });
    expect((await claim(again)).answer).toEqual({ outcome: 'granted', fencing_token: 2, attempt: 2 });
  });

  test('tokens grow over all tickets, so that a target tells the older of two deployments of different plans', async () => {
    const [first, second] = [ticketOf(), ticketOf()];
    for (const ticket of [first, second]) await desk.offer(ticket);
    expect((await claim(second)).answer).toMatchObject({ fencing_token: 1, attempt: 1 });
    expect((await claim(first)).answer).toMatchObject({ fencing_token: 2, attempt: 1 });
    await clock.advance(CLAIM_SILENCE_MS);
    expect((await claim(second, 'two')).answer).toMatchObject({ fencing_token: 3, attempt: 2 });
  });

  test('of many who claim at once one gets it', async () => {
    const ticket = ticketOf();
    await desk.offer(ticket);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, agent) => claim(ticket, `agent-${agent}`)));
    expect(answers.filter(({ answer }) => answer.outcome === 'granted')).toHaveLength(1);
    expect(answers.filter(({ answer }) => answer.outcome === 'held')).toHaveLength(19);
  });
});

describe('calling off', () => {
  test('takes a ticket from the queue, and from its holder on demand, who hears of it', async () => {
    const [queued, held] = [ticketOf(), ticketOf()];
    for (const ticket of [queued, held]) await desk.offer(ticket);
    expect(await desk.cancel(queued.ticket_id, { claimed: false })).toBeUndefined();
    expect((await claim(queued)).answer).toEqual({ outcome: 'gone' });
    await claim(held);
    expect(await desk.cancel(held.ticket_id, { claimed: true })).toBeUndefined();
    const holder = { fencingToken: 1, spiffeId };
    expect(await desk.heartbeat(held.ticket_id, holder)).toEqual({ outcome: 'cancelled' });
    expect(await desk.finish(held.ticket_id, 1, RESULT)).toBe('discarded');
    expect(await desk.cancel(held.ticket_id, { claimed: true })).toBeUndefined();
  });

  test('leaves what was claimed or finished meanwhile, and tells of it', async () => {
    const ticket = ticketOf();
    await desk.offer(ticket);
    await claim(ticket);
    expect(await desk.cancel(ticket.ticket_id, { claimed: false })).toMatchObject({ type: 'claimed', fencingToken: 1 });
    await desk.finish(ticket.ticket_id, 1, { nonsense: true });
    const event = await desk.cancel(ticket.ticket_id, { claimed: true });
    expect(event).toMatchObject({ type: 'result', fencingToken: 1, outcome: { status: 'FAILED' } });
  });
});

test('a paused plan gives its tickets to nobody, also not those of a silent holder', async () => {
  const ticket = ticketOf();
  await desk.offer(ticket);
  await claim(ticket);
  await clock.advance(CLAIM_SILENCE_MS);
  await desk.pause(ticket.plan_id);
  await desk.pause(ticket.plan_id);
  expect((await claim(ticket, 'two')).answer).toMatchObject({ outcome: 'held' });
  await desk.resume(ticket.plan_id);
  await desk.resume(ticket.plan_id);
  expect((await claim(ticket, 'two')).answer).toMatchObject({ outcome: 'granted' });
});
