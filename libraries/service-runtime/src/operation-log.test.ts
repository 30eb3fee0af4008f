import { describe, expect, test } from 'vitest';
import { type Operation, OperationLog, statisticsOf } from './operation-log.ts';

const operation = (startedAtMs: number, endedAtMs: number, more: Partial<Operation> = {}): Operation => ({
  startedAtMs,
  endedAtMs,
  failed: false,
  retries: 0,
  ...more,
});

describe('statisticsOf', () => {
  const interval = { startedAtMs: 100, endedAtMs: 200 };

  test('an operation counts when one of its instants lies in the interval, the ends included', () => {
    const operations = [operation(0, 99), operation(90, 100), operation(120, 130), operation(200, 210)];
    expect(statisticsOf(operations, interval).operationsDuring).toBe(3);
    expect(statisticsOf([...operations, operation(201, 220)], interval).operationsDuring).toBe(3);
    expect(statisticsOf([operation(50, 300)], interval).operationsDuring).toBe(1);
  });

  test('failures and repetitions count only inside the interval', () => {
    const operations = [
      operation(0, 50, { failed: true, retries: 2 }),
      operation(110, 120, { failed: true }),
      operation(130, 140, { retries: 2 }),
    ];
    expect(statisticsOf(operations, interval)).toMatchObject({ operationsDuring: 2, failed: 1, retried: 1 });
  });

  test('the stall is the longest latency', () => {
    const operations = [operation(95, 100), operation(101, 180), operation(170, 185), operation(186, 201)];
    expect(statisticsOf(operations, interval).maxStallMs).toBe(80);
  });

  test('the stall is the longest time without a completion when that is longer', () => {
    const operations = [operation(90, 95), operation(150, 151), operation(152, 153), operation(190, 260)];
    expect(statisticsOf(operations, interval).maxStallMs).toBe(107);
    const late = [operation(0, 5), operation(99, 101)];
    expect(statisticsOf(late, { startedAtMs: 50, endedAtMs: 60 })).toMatchObject({
      operationsDuring: 0,
      maxStallMs: 51,
    });
  });
});

describe('OperationLog', () => {
  test('waits for completions and for operations that run', async () => {
    const log = new OperationLog();
    const never = new AbortController().signal;
    const ends = [log.begin(10), log.begin(20), log.begin(30)];
    let reached = false;
    const waiting = log.waitForCompleted(2, 15, never).then((result) => {
      reached = result;
    });
    ends[0]?.({ endedAtMs: 12, failed: false, retries: 0 });
    ends[1]?.({ endedAtMs: 25, failed: true, retries: 1 });
    await Promise.resolve();
    expect(reached).toBe(false);
    ends[2]?.({ endedAtMs: 40, failed: false, retries: 0 });
    await waiting;
    expect(reached).toBe(true);
    expect(log.totals).toEqual({ operations: 3, failed: 1, retried: 1 });
    expect(await log.waitForInFlight(100, never)).toBe(true);
  });

  test('gives up when the signal comes first', async () => {
    const log = new OperationLog();
    log.begin(10);
    expect(await log.waitForCompleted(1, 0, AbortSignal.abort())).toBe(false);
    expect(await log.waitForInFlight(10, AbortSignal.abort())).toBe(false);
    expect(await log.waitForInFlight(9, AbortSignal.abort())).toBe(true);
  });
});
