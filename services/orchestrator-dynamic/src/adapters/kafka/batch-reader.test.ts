import { silentLogger } from '@neural-hive/security/common';
import type { KafkaReading } from '@neural-hive/service-runtime';
import type { EachBatchPayload } from 'kafkajs';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { RefusedMessageError } from '../../ports/ticket-bus.ts';
import { BatchReader, type BatchReaderOptions } from './batch-reader.ts';
import { busMetrics } from './bus-metrics.ts';

interface Member {
  readonly payload: EachBatchPayload;
  readonly kept: string[];
  running: boolean;
  heartbeats: number;
  refuseHeartbeat?: Error;
}

function member(values: readonly string[]): Member {
  const state: Member = {
    kept: [],
    running: true,
    heartbeats: 0,
    payload: undefined as unknown as EachBatchPayload,
  };
  const messages = values.map((value, index) => ({
    offset: String(100 + index),
    timestamp: '1',
    key: null,
    value: Buffer.from(value),
  }));
  const payload = {
    batch: { topic: 'topic', partition: 3, messages },
    isRunning: () => state.running,
    isStale: () => false,
    resolveOffset: () => undefined,
    heartbeat: async () => {
      state.heartbeats += 1;
      if (state.refuseHeartbeat !== undefined) throw state.refuseHeartbeat;
    },
    commitOffsetsIfNecessary: async (offsets: { topics: { partitions: { offset: string }[] }[] }) => {
      state.kept.push(...offsets.topics.flatMap(({ partitions }) => partitions.map(({ offset }) => offset)));
    },
  };
  return Object.assign(state, { payload: payload as unknown as EachBatchPayload });
}

function reader(options: Partial<BatchReaderOptions<string>>): { reader: BatchReader<string>; dead: string[] } {
  const dead: string[] = [];
  return {
    dead,
    reader: new BatchReader<string>({
      read: ({ value }): KafkaReading<string> => {
        const text = String(value);
        if (text !== 'broken') return { ok: true, value: text };
        return { ok: false, json: undefined, reason: 'not-json', problem: 'broken' };
      },
      handle: async () => undefined,
      bury: async ({ offset }, { reason }) => {
        dead.push(`${offset} ${reason}`);
      },
      metrics: busMetrics(new Registry()),
      log: silentLogger,
      random: () => 0,
      ...options,
    }),
  };
}

test('the position is kept behind messages whose handlers have resolved, and not before', async () => {
  const handled: string[] = [];
  let finish: () => void = () => undefined;
  const blocked = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const slow = reader({
    concurrency: 2,
    handle: async (value) => {
      if (value === 'd') await blocked;
      handled.push(value);
    },
  });
  const one = member(['a', 'b', 'c', 'd', 'e']);
  const taking = slow.reader.take(one.payload);
  await expect.poll(() => handled, { timeout: 10_000 }).toEqual(['a', 'b', 'c']);
  expect(one.kept).toEqual(['102']);
  finish();
  await taking;
  expect([handled, one.kept]).toEqual([
    ['a', 'b', 'c', 'd', 'e'],
    ['102', '104', '105'],
  ]);
});

test('a handler that fails is asked again, and its message is never passed over', async () => {
  let failures = 3;
  const failing = reader({
    handle: async () => {
      failures -= 1;
      if (failures >= 0) throw new Error('away');
    },
  });
  const one = member(['a']);
  await failing.reader.take(one.payload);
  expect([failures, one.kept, failing.dead]).toEqual([-1, ['101'], []]);
});

test('what cannot be read or is refused is laid aside, and the others go on', async () => {
  const handled: string[] = [];
  const some = reader({
    handle: async (value) => {
      if (value === 'never') throw new RefusedMessageError('it is not for us');
      handled.push(value);
    },
  });
  const one = member(['a', 'broken', 'never', 'b']);
  await some.reader.take(one.payload);
  expect(handled).toEqual(['a', 'b']);
  expect(some.dead.sort()).toEqual(['101 not-json', '102 refused']);
  expect(one.kept).toEqual(['104']);
});

test('a dead letter that is not taken keeps the position until it is', async () => {
  let refusals = 2;
  const dead: string[] = [];
  const some = reader({
    bury: async ({ offset }) => {
      refusals -= 1;
      if (refusals >= 0) throw new Error('the broker is away');
      dead.push(offset);
    },
  });
  const one = member(['broken']);
  await some.reader.take(one.payload);
  expect([dead, one.kept]).toEqual([['100'], ['101']]);
});

test('a member that stops while a handler fails keeps nothing of it', async () => {
  const one = member(['a']);
  const failing = reader({
    handle: async () => {
      one.running = false;
      throw new Error('away');
    },
  });
  await failing.reader.take(one.payload);
  expect(one.kept).toEqual([]);
});

test('the group hears of a member whose handlers work, and a member that lost its place keeps nothing', async () => {
  const one = member(['a']);
  const rebalancing = new Error('the group is rebalancing');
  const waiting = reader({ handle: () => new Promise<void>(() => undefined) });
  const taking = waiting.reader.take(one.payload);
  await expect.poll(() => one.heartbeats, { timeout: 10_000 }).toBeGreaterThan(0);
  one.refuseHeartbeat = rebalancing;
  await expect(taking).rejects.toBe(rebalancing);
  expect(one.kept).toEqual([]);
});
