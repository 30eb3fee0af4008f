import { TASK_TYPES, type TaskType } from '@neural-hive/contracts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ticketOf } from '../testing/tickets.ts';
import { type Capacity, nextRound } from './capacity.ts';
import { byUrgency } from './claimed-ticket.ts';
import { buildResult, buildUnreadable } from './execution-result.ts';
import { failureOf, TicketFailure } from './failure.ts';
import { advance, type Hold, type HoldEvent } from './hold.ts';
import { keptBack } from './sensitivity.ts';

const publisher = {
  agentId: 'agent',
  spiffeId: 'spiffe://neural-hive.local/ns/neural-hive-execution/sa/worker-agents',
};

test('a round asks for no more than any type has places', () => {
  expect(nextRound(['BUILD', 'TEST'], { total: 5, byType: { BUILD: 1 } }, [])).toEqual({
    types: ['BUILD', 'TEST'],
    limit: 1,
  });
  expect(nextRound(['BUILD', 'TEST'], { total: 5, byType: { BUILD: 1 } }, ['BUILD'])).toEqual({
    types: ['TEST'],
    limit: 4,
  });
  expect(nextRound(['BUILD'], { total: 5, byType: { BUILD: 1 } }, ['BUILD'])).toBeUndefined();
  expect(nextRound(['BUILD'], { total: 1, byType: {} }, ['TEST'])).toBeUndefined();
});

test('whatever mixture a round brings, no capacity is exceeded', () => {
  const type = fc.constantFrom(...TASK_TYPES);
  const byType = fc.dictionary(type, fc.integer({ min: 0, max: 4 })) as fc.Arbitrary<Capacity['byType']>;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), byType, fc.infiniteStream(type), (total, limits, stream) => {
      const running: TaskType[] = [];
      for (let round = nextRound(TASK_TYPES, { total, byType: limits }, running); round; ) {
        const { types, limit } = round;
        for (let taken = 0; taken < limit; taken += 1) {
          const wish = stream.next().value as TaskType;
          running.push(types.includes(wish) ? wish : (types[0] as TaskType));
        }
        for (const [name, most] of Object.entries(limits)) {
          expect(running.filter((other) => other === name).length).toBeLessThanOrEqual(most);
        }
        expect(running.length).toBeLessThanOrEqual(total);
        round = nextRound(TASK_TYPES, { total, byType: limits }, running);
      }
    }),
  );
});

test('tickets are ordered by priority, then by deadline', () => {
  const ticket = (ticket_id: string, priority: 'LOW' | 'HIGH', deadline: number) => ({
    ticket: ticketOf({ task_type: 'BUILD', ticket_id, priority, sla: { deadline, timeout_ms: 1, max_retries: 0 } }),
    fencing: 1,
    attempt: 1,
  });
  const all = [ticket('a', 'LOW', 1), ticket('b', 'HIGH', 9), ticket('c', 'HIGH', 5)];
  expect(all.sort(byUrgency).map(({ ticket: { ticket_id } }) => ticket_id)).toEqual(['c', 'b', 'a']);
});

describe('a held ticket', () => {
  const after = (...events: HoldEvent[]): Hold => events.reduce(advance, { state: 'running' } as Hold);

  test('is published when its result is accepted, and fenced when it is refused', () => {
    expect(after({ type: 'ended' }, { type: 'accepted' })).toEqual({ state: 'published' });
    expect(after({ type: 'ended' }, { type: 'refused' })).toEqual({ state: 'fenced' });
  });

  test('publishes nothing once it is given up', () => {
    const lost = after({ type: 'give_up', why: 'lost' }, { type: 'ended' }, { type: 'accepted' });
    expect(lost).toEqual({ state: 'given_up', why: 'lost' });
  });

  test('that is done is published by a worker that ends, and not handed back', () => {
    expect(after({ type: 'ended' }, { type: 'give_up', why: 'drained' })).toEqual({ state: 'publishing' });
    expect(after({ type: 'ended' }, { type: 'give_up', why: 'cancelled' })).toMatchObject({ state: 'given_up' });
  });
});

test('a task can ask for a sensitive result and never for less than its plan', () => {
  const kept = (fields: object) => keptBack(ticketOf({ task_type: 'QUERY', ...fields }));
  expect(kept({})).toBe('nothing');
  expect(kept({ security_level: 'CONFIDENTIAL' })).toBe('everything');
  expect(kept({ parameters: { sensitive: 'true' } })).toBe('everything');
  expect(kept({ metadata: { security_level: 'RESTRICTED' } })).toBe('everything');
  expect(kept({ metadata: { security_level: 'PUBLIC' } })).toBe('nothing');
  expect(kept({ metadata: { security_level: 'confidental' } })).toBe('everything');
  expect(kept({ security_level: 'RESTRICTED', metadata: { security_level: 'PUBLIC' } })).toBe('everything');
});

test('a task can mark outputs, which does not make less of what its plan keeps back', () => {
  const kept = (sensitive: string, fields: object = {}) =>
    keptBack(ticketOf({ task_type: 'QUERY', parameters: { sensitive }, ...fields }));
  expect(kept('rows, stdout')).toEqual(new Set(['rows', 'stdout']));
  expect([kept('false'), kept('')]).toEqual(['nothing', 'nothing']);
  expect(kept('rows', { security_level: 'RESTRICTED' })).toBe('everything');
});

describe('a result', () => {
  const claimed = { ticket: ticketOf({ task_type: 'BUILD' }), fencing: 7, attempt: 2 };
  const facts = { durationMs: 1.5, nowMs: 1_000, reference: undefined };

  test('stays within the limits of the contract', () => {
    const outcome = { output: { rows: 'x'.repeat(70_000) }, logs: Array(300).fill('y'.repeat(5_000)) };
    const { result, status } = buildResult(claimed, publisher, { ...facts, outcome });
    expect(status).toBe('COMPLETED');
    expect(result.output.rows).toHaveLength(65_536);
    expect(result.logs).toHaveLength(200);
  });

  test('that is sensitive travels without its output and its logs', () => {
    const outcome = { output: { rows: 'secret' }, logs: ['secret'] };
    const result = buildResult(claimed, publisher, { ...facts, outcome, reference: 'worker/results/x' });
    expect(JSON.stringify(result)).not.toContain('secret');
    expect(result.output_reference).toBe('worker/results/x');
  });

  test('of which some outputs are marked travels without them and its logs', () => {
    const outcome = { output: { rows: 'secret', row_count: '1' }, logs: ['secret'] };
    const kept = new Set(['rows']);
    const result = buildResult(claimed, publisher, { ...facts, outcome, reference: 'worker/results/x', kept });
    expect(result.result).toMatchObject({ output: { row_count: '1' }, logs: [] });
    expect(JSON.stringify(result)).not.toContain('secret');
  });

  test('that is sensitive keeps what undoing it needs', () => {
    const outcome = { output: { artifact: 'digest', rows: 'secret' }, neededToUndo: ['artifact', 'release'] };
    const result = buildResult(claimed, publisher, { ...facts, outcome, reference: 'worker/results/x' });
    expect(result.result.output).toEqual({ artifact: 'digest' });
  });

  test('of a failure says its class', () => {
    const outcome = new TicketFailure('timeout', 'too slow', { logs: ['last words'] });
    expect(buildResult(claimed, publisher, { ...facts, outcome })).toMatchObject({
      status: 'FAILED',
      error_class: 'timeout',
      error_message: 'too slow',
      result: { success: false, logs: ['last words'] },
    });
  });

  test('answers what is no ticket, so that nobody takes it again', () => {
    const unreadable = { ticketId: 't', planId: 'p', fencing: 3, problem: 'x'.repeat(10_000) };
    expect(buildUnreadable(unreadable, publisher, 5)).toMatchObject({ status: 'FAILED', error_class: 'parameters' });
  });
});

test('what nobody foresaw is a crash and does not show itself', () => {
  const failure = failureOf(new Error('password=abc'));
  expect(failure.code).toBe('crash');
  expect(failure.message).not.toContain('abc');
});
