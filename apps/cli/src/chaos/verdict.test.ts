import { describe, expect, test } from 'vitest';
import type { PlanView, ProgressLine } from '../client/orchestrator-client.ts';
import { parseLedger } from './ledger.ts';
import { judge } from './verdict.ts';

type Ticket = PlanView['tickets'][number];

const ticket = (taskId: string, status: string, more: Partial<Ticket> = {}): Ticket => ({
  ...{ id: `tkt-${taskId}`, taskId, type: 'EXECUTE', status, attempt: 1, worker: 'w', spiffeId: null, durationMs: 1 },
  ...{ compensates: null, output: {}, outputReference: null, error: null },
  ...more,
});
const undo = (of: string): Ticket =>
  ticket(of, 'COMPLETED', { id: `cmp-${of}`, type: 'COMPENSATE', compensates: `tkt-${of}` });

const planWith = (status: string, tickets: readonly Ticket[], progress: readonly ProgressLine[] = []) => ({
  view: {
    ...{ id: 'p', status, final: !['RUNNING', 'COMPENSATING'].includes(status), submittedBy: 'o', decision: 'approve' },
    ...{ paused: false, approval: {}, failure: null, tickets: [...tickets] },
  },
  progress,
});

const judged = (plan: ReturnType<typeof planWith>, ledger: string) => judge([plan], parseLedger(ledger));

const completed = planWith('COMPLETED', [ticket('a', 'COMPLETED'), ticket('b', 'COMPLETED')]);
const undone = planWith('FAILED', [ticket('a', 'COMPENSATED'), ticket('b', 'FAILED'), undo('a')]);

test('a plan whose every effect is in the ledger once, and one that was undone, are as they should be', () => {
  expect(judged(completed, 'do p/a 1-aa\ndo p/b 2-bb\n')).toEqual({ tickets: 2, lost: [], doubled: [], repeats: 0 });
  expect(judged(undone, 'do p/a 1-aa\nundo p/a 3-cc\n')).toEqual({ tickets: 3, lost: [], doubled: [], repeats: 0 });
});

describe('lost is', () => {
  const cases: readonly (readonly [string, ReturnType<typeof planWith>, string])[] = [
    ['a completed ticket without an effect', completed, 'do p/a 1-aa\n'],
    ['a compensated ticket without an undo', undone, 'do p/a 1-aa\n'],
    ['a plan that is not final', planWith('RUNNING', [ticket('a', 'COMPLETED')]), 'do p/a 1-aa\n'],
    ['a ticket that is not final in a plan that is', planWith('CANCELLED', [ticket('a', 'RUNNING')]), ''],
    ['a completed ticket of a failed plan', planWith('FAILED', [ticket('a', 'COMPLETED')]), 'do p/a 1-aa\n'],
    ['a failed ticket of a completed plan', planWith('COMPLETED', [ticket('a', 'FAILED')]), ''],
  ];
  test.each(cases)('%s', (_, plan, ledger) => {
    expect(judged(plan, ledger)).toMatchObject({ lost: [expect.stringContaining('p')], doubled: [] });
  });
});

describe('doubled is', () => {
  const one = planWith('COMPLETED', [ticket('a', 'COMPLETED')]);
  test('an effect under two keys', () => {
    expect(judged(one, 'do p/a 1-aa\ndo p/a 2-bb\n').doubled).toHaveLength(1);
  });

  test('an effect twice under one fencing token', () => {
    expect(judged(one, 'do p/a 1-aa\ndo p/a 1-aa\n').doubled).toHaveLength(1);
  });

  test('an effect of a plan that nobody submitted', () => {
    expect(judged(one, 'do p/a 1-aa\ndo q/a 2-bb\n').doubled).toHaveLength(1);
  });

  test('a ticket that completed twice', () => {
    const line = { type: 'ticket', ticketId: 'tkt-a', taskId: 'a', taskType: 'EXECUTE', status: 'COMPLETED' } as const;
    const rest = { step: 'ended', attempt: 1, worker: null, durationMs: 1, compensates: null, message: null } as const;
    const twice = [1, 2].map((seq) => ({ ...line, ...rest, seq }));
    expect(judged({ ...one, progress: twice }, 'do p/a 1-aa\n').doubled).toHaveLength(1);
    expect(judged({ ...one, progress: twice.slice(1) }, 'do p/a 1-aa\n').doubled).toEqual([]);
  });
});

test('an effect that comes again under its key and a newer token is a repeat, which a receiver tells', () => {
  expect(judged(completed, 'do p/a 1-aa\ndo p/a 2-aa\ndo p/b 3-bb\n')).toMatchObject({ doubled: [], repeats: 1 });
});

test('a ledger with a torn line or another line is refused', () => {
  expect(parseLedger('do p/a 1-aa\n')).toEqual([{ kind: 'do', effect: 'p/a', key: 'aa', fencing: 1 }]);
  expect(() => parseLedger('do p/a 1-aa')).toThrow(/midst/);
  expect(() => parseLedger('did p/a 1-aa\n')).toThrow(/no line/);
});
