import { type ExecutionResult, TOPICS } from '@neural-hive/contracts';
import { silentLogger } from '@neural-hive/security/common';
import type { EachBatchPayload } from 'kafkajs';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { ClaimTable } from '../../testing/claim-table.ts';
import { ticketOf } from '../../testing/tickets.ts';
import { kafkaWorkerMetrics } from './kafka-worker-metrics.ts';
import { TicketFeed, type TicketFeedOptions } from './ticket-feed.ts';
import { KafkaTicketSource } from './ticket-source.ts';

const TOPIC = TOPICS.tickets('BUILD');
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** A member of the group with one partition. */
class Member {
  readonly kept: string[] = [];
  owns = true;
  running = true;
  paused = false;
  resolved = -1n;

  batch(first: number, values: readonly (readonly [key: string, value: string])[]): EachBatchPayload {
    const messages = values.map(([key, value], index) => ({
      offset: String(first + index),
      timestamp: '1',
      key: Buffer.from(key),
      value: Buffer.from(value),
    }));
    const payload = {
      batch: { topic: TOPIC, partition: 0, messages },
      isRunning: () => this.running,
      isStale: () => false,
      resolveOffset: (offset: string) => {
        this.resolved = BigInt(offset);
      },
      pause: () => {
        this.paused = true;
        return () => {
          this.paused = false;
        };
      },
      uncommittedOffsets: () => ({
        topics: this.owns
          ? [{ topic: TOPIC, partitions: [{ partition: '0', offset: String(this.resolved + 1n) }] }]
          : [],
      }),
      commitOffsetsIfNecessary: async (offsets: { topics: { partitions: { offset: string }[] }[] }) => {
        this.kept.push(...offsets.topics.flatMap(({ partitions }) => partitions.map(({ offset }) => offset)));
      },
    };
    return payload as unknown as EachBatchPayload;
  }
}

function worker(options: Partial<TicketFeedOptions> = {}) {
  const table = new ClaimTable();
  const published: string[] = [];
  const feed = new TicketFeed({
    types: ['BUILD'],
    maxMessageBytes: 100_000,
    bury: async () => undefined,
    onArrival: () => undefined,
    metrics: kafkaWorkerMetrics(new Registry()),
    log: silentLogger,
    ...options,
  });
  const source = new KafkaTicketSource({
    feed,
    claims: {
      claim: async (id, request) => table.claim(id, request),
      heartbeat: async (id, fencing) => table.heartbeat(id, fencing),
      release: async (id, fencing) => table.release(id, fencing),
    },
    publish: async (id) => void published.push(id),
  });
  const claim = async (limit = 10) => {
    const { tickets } = await source.claim({ types: ['BUILD'], agentId: 'a', limit });
    return new Map(tickets.map(({ ticket, fencing }) => [ticket.ticket_id, fencing]));
  };
  const finish = async (held: ReadonlyMap<string, number>, id: string) => {
    const accepted = await source.finish(id, held.get(id) ?? 0, {} as ExecutionResult);
    await settle();
    return accepted;
  };
  return { table, feed, source, published, claim, finish };
}

function message({ table }: { table: ClaimTable }, id: string): [string, string] {
  const ticket = ticketOf({ task_type: 'BUILD', ticket_id: id });
  table.published(ticket);
  return [id, JSON.stringify(ticket)];
}

test('a position is kept only behind messages that are all settled, in whatever order they end', async () => {
  const one = worker();
  const member = new Member();
  await one.feed.take(
    member.batch(
      5,
      ['a', 'b', 'c'].map((id) => message(one, id)),
    ),
  );
  const held = await one.claim();
  expect([...held.keys()].sort()).toEqual(['a', 'b', 'c']);
  expect(await one.finish(held, 'b')).toBe(true);
  expect(await one.finish(held, 'c')).toBe(true);
  // What is kept may say that nothing was done yet, and no more.
  expect(member.kept.filter((offset) => Number(offset) > 5)).toEqual([]);
  expect(await one.finish(held, 'a')).toBe(true);
  expect([member.kept.at(-1), one.published]).toEqual(['8', ['b', 'c', 'a']]);
});

test('what a second member reads again is not taken twice, and the position is kept by that member', async () => {
  const one = worker();
  const [old, next] = [new Member(), new Member()];
  const messages = ['a', 'b'].map((id) => message(one, id));
  await one.feed.take(old.batch(0, messages));
  const held = await one.claim();
  old.running = false;
  await one.feed.take(next.batch(0, messages));
  expect((await one.claim()).size).toBe(0);
  await one.finish(held, 'a');
  await one.finish(held, 'b');
  expect([old.kept, next.kept.at(-1)]).toEqual([[], '2']);
});

test('a member that has lost the partition keeps no position of it', async () => {
  const one = worker();
  const member = new Member();
  await one.feed.take(member.batch(0, [message(one, 'a')]));
  const held = await one.claim();
  member.owns = false;
  expect(await one.finish(held, 'a')).toBe(true);
  expect(member.kept).toEqual([]);
});

test('a ticket that is gone is settled without any work', async () => {
  const one = worker();
  const member = new Member();
  const messages = ['a', 'b'].map((id) => message(one, id));
  one.table.cancelled('a');
  await one.feed.take(member.batch(0, messages));
  expect([...(await one.claim()).keys()]).toEqual(['b']);
  await settle();
  expect(member.kept).toEqual(['1']);
});

test('a type is paused while enough of its tickets wait, and goes on where it stopped', async () => {
  const one = worker({ windowTickets: 2 });
  const member = new Member();
  const messages = ['a', 'b', 'c', 'd'].map((id) => message(one, id));
  await one.feed.take(member.batch(0, messages));
  expect([member.paused, member.resolved]).toEqual([true, 1n]);
  const held = await one.claim();
  expect([member.paused, held.size]).toEqual([false, 2]);
  await one.feed.take(member.batch(2, messages.slice(2)));
  expect([member.paused, member.resolved]).toEqual([false, 3n]);
});

test('a message that is no ticket is settled when the dead letters have it, and not before', async () => {
  let refused = 1;
  const buried: string[] = [];
  const one = worker({
    bury: async ({ offset }, { reason }) => {
      refused -= 1;
      if (refused >= 0) throw new Error('the broker is away');
      buried.push(`${offset} ${reason}`);
    },
  });
  const member = new Member();
  await one.feed.take(member.batch(0, [['a', 'no json'], message(one, 'b')]));
  await one.finish(await one.claim(), 'b');
  await expect.poll(() => buried, { timeout: 20_000 }).toEqual(['0 not-json']);
  await expect.poll(() => member.kept.at(-1), { timeout: 20_000 }).toBe('2');
});

test('the result of an attempt that was taken over is not published', async () => {
  const one = worker();
  await one.feed.take(new Member().batch(0, [message(one, 'a')]));
  const held = await one.claim();
  expect(await one.source.release('a', held.get('a') ?? 0)).toBe(true);
  const again = await one.claim();
  expect(again.get('a')).toBeGreaterThan(held.get('a') ?? 0);
  expect([await one.finish(held, 'a'), await one.finish(again, 'a'), one.published]).toEqual([false, true, ['a']]);
});
