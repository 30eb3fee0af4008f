import { describe, expect, test } from 'vitest';
import { DEFAULT_POLICY, decide, directDecision, type PlanEvent, type PlanState } from '../../domain/index.ts';
import type { StoredHead, TicketRecord } from '../../ports/plan-store.ts';
import { planOf } from '../../testing/plans.ts';
import { PlanRun } from './plan-run.ts';
import { isOversized, type PlanStep, stepsOf } from './plan-step.ts';
import { TimerTable } from './timer-table.ts';

const BY = 'spiffe://neural-hive.local/operator';

/** What a store would hold after the steps that a run gave. */
class Kept {
  head: StoredHead | undefined;
  readonly tickets = new Map<string, TicketRecord>();

  readonly #plan: StoredHead['plan'];
  readonly #decision: StoredHead['decision'];

  constructor({ plan, decision }: Pick<StoredHead, 'plan' | 'decision'>) {
    this.#plan = plan;
    this.#decision = decision;
  }

  keep(steps: readonly PlanStep[]): void {
    for (const { items, head, seq } of steps) {
      for (const item of items) if (item.kind === 'ticket') this.tickets.set(item.ticket.state.ticketId, item.ticket);
      if (head !== null) this.head = { ...head, plan: this.#plan, decision: this.#decision, seq };
    }
  }

  load(): PlanRun {
    if (this.head === undefined) throw new Error('nothing was kept');
    const tickets = [...this.tickets.values()].sort((a, b) => a.position - b.position);
    return new PlanRun(this.head, tickets);
  }
}

const RESULT = {
  outputReference: null,
  errorClass: null,
  errorMessage: null,
  logs: [],
  agentId: 'w',
  spiffeId: null,
} as const;

function begin() {
  const plan = planOf([
    { id: 'build', type: 'BUILD' },
    { id: 'check', needs: ['build'] },
  ]);
  const decision = directDecision(plan, BY, 1);
  const event: PlanEvent = { type: 'submitted', atMs: 1, plan, decision, by: BY, policy: DEFAULT_POLICY };
  const run = PlanRun.begin(decide(undefined, event), event);
  const kept = new Kept({ plan, decision });
  kept.keep(run.takeSteps());
  return { run, kept };
}

/** A plan that fails and is undone, with a retry on the way. */
function events(state: PlanState): readonly PlanEvent[] {
  const [build, check] = [...state.tickets.keys()] as [string, string];
  const failed = { ...RESULT, status: 'FAILED', output: {}, errorClass: 'backend', errorMessage: 'no' } as const;
  const done = { ...RESULT, status: 'COMPLETED', output: { made: 'it' } } as const;
  return [
    { type: 'admitted', atMs: 2, warning: null },
    { type: 'claimed', atMs: 3, ticketId: build, fencingToken: 1, agentId: 'w', takeover: false },
    { type: 'result', atMs: 4, ticketId: build, fencingToken: 1, outcome: done },
    { type: 'result', atMs: 5, ticketId: check, fencingToken: 1, outcome: failed },
    { type: 'timer', atMs: 5_000, timerId: `retry:${check}:1` },
    { type: 'result', atMs: 5_001, ticketId: check, fencingToken: 2, outcome: failed },
  ];
}

describe('a run', () => {
  test('that is loaded anew after every event goes on as one that never ended', () => {
    const { run, kept } = begin();
    for (const event of events(run.state)) {
      const again = kept.load();
      expect(again.state).toEqual(run.state);
      expect(again.timers.earliestMs()).toBe(run.timers.earliestMs());
      for (const each of [run, again]) {
        const decision = each.consider(event);
        if (decision !== undefined) each.accept(event, decision);
      }
      const steps = run.takeSteps();
      expect(again.takeSteps()).toEqual(steps);
      kept.keep(steps);
    }
    expect(run.state.status).toBe('COMPENSATING');
    expect(kept.load().state).toEqual(run.state);
  });

  test('applies a result once, also where the ticket has gone on to its next attempt and the run was loaded anew', () => {
    const { run, kept } = begin();
    const all = events(run.state);
    for (const event of all.slice(0, 5)) {
      const decision = run.consider(event);
      if (decision !== undefined) run.accept(event, decision);
    }
    kept.keep(run.takeSteps());
    const first = all[3] as PlanEvent;
    for (const each of [run, kept.load()]) {
      expect(each.consider(first)).toBeUndefined();
      expect(each.consider(all[5] as PlanEvent)?.changed).not.toEqual([]);
    }
  });

  test('has nothing to keep after an event that changes nothing', () => {
    const { run } = begin();
    const event: PlanEvent = { type: 'timer', atMs: 2, timerId: 'deadline:none' };
    const decision = run.consider(event);
    if (decision !== undefined) run.accept(event, decision);
    expect(run.hasNews).toBe(false);
    expect(run.takeSteps()).toEqual([]);
  });

  test('writes what a person had done into the audit trail, with a key that stays the same', () => {
    const { run } = begin();
    const event: PlanEvent = { type: 'cancel', atMs: 2, by: BY, reason: 'enough' };
    const decision = run.consider(event);
    if (decision !== undefined) run.accept(event, decision);
    const audits = run.takeSteps().flatMap(({ items }) => items.filter(({ kind }) => kind === 'audit'));
    expect(audits).toMatchObject([{ audit: { action: 'cancel', by: BY, detail: { text: 'enough' } } }]);
    expect(audits).toEqual([
      expect.objectContaining({ audit: expect.objectContaining({ key: expect.stringMatching(/^plan-1\/2\//) }) }),
    ]);
  });
});

describe('steps', () => {
  const note = (size: number) =>
    ({ kind: 'audit', audit: { key: 'x'.repeat(size), action: 'cancel', by: '', detail: {} } }) as const;
  const head = { head: {} as StoredHead['head'], timers: [], told: 0 };

  test('hold what fits into a payload, in order, and the last has the head', () => {
    const items = [note(10), note(300_000), note(300_000), note(10)];
    const steps = stepsOf({ planId: 'p', seq: 7 }, items, head);
    expect(steps.map((step) => step.items.length)).toEqual([2, 2]);
    expect(steps.flatMap((step) => step.items)).toEqual(items);
    expect(steps.map((step) => step.head === head)).toEqual([false, true]);
    expect(
      stepsOf(
        { planId: 'p', seq: 7 },
        Array.from({ length: 450 }, () => note(1)),
        head,
      ),
    ).toHaveLength(3);
    expect(stepsOf({ planId: 'p', seq: 7 }, [], head)).toHaveLength(1);
  });

  test('a ticket that fits into none is told', () => {
    const ticket = { ticket_id: 't', description: 'x'.repeat(700_000) };
    const command = { kind: 'command', command: { type: 'publishTicket', ticket, rankMs: 0 } } as never;
    const [first, second] = stepsOf({ planId: 'p', seq: 1 }, [note(1), command, note(1)], head).slice(0, 2);
    expect(first && isOversized(first)).toBeUndefined();
    expect(second && isOversized(second)).toBe('t');
  });
});

test('timers fire in the order of their time, are told by ticket, and are gone once they have fired', () => {
  const timers = new TimerTable([{ id: 'approval-expiry', atMs: 50 }]);
  expect(timers.takeTouched()).toEqual([]);
  timers.set('retry:t1:1', 30);
  timers.set('deadline:t1', 20);
  timers.set('deadline:t2', 40);
  timers.set('deadline:t2', 60);
  expect(timers.earliestMs()).toBe(20);
  expect(timers.takeTouched()).toEqual(['t1', 't2']);
  expect(timers.takeDue(30)).toEqual(['deadline:t1', 'retry:t1:1']);
  expect(timers.of('t1')).toEqual([]);
  expect(timers.of('')).toEqual([{ id: 'approval-expiry', atMs: 50 }]);
  timers.clear('deadline:none');
  timers.clearAll();
  expect(timers.earliestMs()).toBeUndefined();
  expect(timers.takeTouched()).toEqual(['t1', '', 't2']);
});
