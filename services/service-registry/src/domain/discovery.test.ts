import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { agent, TIMING, telemetry } from '../testing/registry-fixture.ts';
import { statusAt } from './agent.ts';
import { matches, parseFilter, rank, scoreOf } from './discovery.ts';

const healthy = (overrides: Parameters<typeof agent>[0] = {}) => ({
  agent: agent(overrides),
  status: 'HEALTHY' as const,
});

describe('filters', () => {
  test('every known key is read', () => {
    expect(
      parseFilter({
        agent_type: 'worker',
        namespace: 'n',
        cluster: 'c',
        version: 'v',
        status: 'HEALTHY',
        security_level: 'RESTRICTED',
      }),
    ).toEqual({
      type: 'WORKER',
      namespace: 'n',
      cluster: 'c',
      version: 'v',
      status: 'HEALTHY',
      securityLevel: 'RESTRICTED',
    });
  });

  test('an unknown key and an unknown value are refused', () => {
    expect(() => parseFilter({ region: 'eu' })).toThrow('a filter must be one of');
    expect(() => parseFilter({ status: 'FINE' })).toThrow('filter status must be one of HEALTHY');
  });

  test('an agent has to be cleared for at least the level, and is cleared for INTERNAL when it does not say', () => {
    const cleared = healthy({ metadata: { security_level: 'CONFIDENTIAL' } });
    expect(matches(cleared, { securityLevel: 'CONFIDENTIAL' })).toBe(true);
    expect(matches(cleared, { securityLevel: 'PUBLIC' })).toBe(true);
    expect(matches(cleared, { securityLevel: 'RESTRICTED' })).toBe(false);
    expect(matches(healthy(), { securityLevel: 'INTERNAL' })).toBe(true);
    expect(matches(healthy(), { securityLevel: 'CONFIDENTIAL' })).toBe(false);
  });

  test('each filter refuses an agent that differs', () => {
    const candidate = healthy();
    expect(matches(candidate, {})).toBe(true);
    for (const filter of [
      { type: 'SCOUT' },
      { namespace: 'x' },
      { cluster: 'x' },
      { version: 'x' },
      { status: 'DEGRADED' },
    ] as const) {
      expect(matches(candidate, filter)).toBe(false);
    }
  });
});

describe('rank', () => {
  const NOW = { nowMs: 1_000_000, timing: TIMING, max: 10 };
  const silent = { lastSeenMs: NOW.nowMs - TIMING.heartbeatTimeoutMs - 1 };
  const idsOf = (agents: Parameters<typeof rank>[0], options: Partial<Parameters<typeof rank>[1]> = {}) =>
    rank(agents, { ...NOW, ...options }).best.map(({ candidate }) => candidate.agent.agentId);

  test('health, successes and free capacity each move the score', () => {
    expect(scoreOf(agent({ telemetry: telemetry() }), 'HEALTHY')).toBe(1);
    expect(scoreOf(agent({ telemetry: telemetry() }), 'DEGRADED')).toBe(0.8);
    expect(scoreOf(agent({ telemetry: telemetry({ successRate: 0.5 }) }), 'HEALTHY')).toBe(0.85);
    expect(scoreOf(agent({ telemetry: telemetry({ active: 4 }) }), 'HEALTHY')).toBe(0.7);
    expect(scoreOf(agent({ telemetry: telemetry({ active: 40 }) }), 'HEALTHY')).toBe(0.7);
  });

  test('what an agent does not say counts half', () => {
    expect(scoreOf(agent({ telemetry: undefined }), 'HEALTHY')).toBe(0.7);
    const idle = telemetry({ totalExecutions: 0, successRate: 0, capacity: 0 });
    expect(scoreOf(agent({ telemetry: idle }), 'HEALTHY')).toBe(0.7);
  });

  test('equals come in the order of their registration, then of their ids, whatever the input order', () => {
    const a = agent({ agentId: 'a', registeredAtMs: 2 });
    const b = agent({ agentId: 'b', registeredAtMs: 1 });
    const c = agent({ agentId: 'c', registeredAtMs: 2 });
    const best = agent({ agentId: 'z', registeredAtMs: 9, telemetry: telemetry() });
    for (const order of [
      [a, b, c, best],
      [best, c, b, a],
      [c, a, best, b],
    ]) {
      expect(idsOf(order)).toEqual(['z', 'b', 'a', 'c']);
      expect(idsOf(order, { max: 2 })).toEqual(['z', 'b']);
    }
  });

  test('the best few of many are those that a full sort puts first', () => {
    const figures = fc.record({ active: fc.nat(4), registeredAtMs: fc.nat(2), rate: fc.constantFrom(0, 0.25, 0.5, 1) });
    fc.assert(
      fc.property(fc.array(figures, { maxLength: 40 }), fc.integer({ min: 1, max: 12 }), (all, max) => {
        const agents = all.map(({ active, registeredAtMs, rate }, index) =>
          agent({ agentId: `${index}`, registeredAtMs, telemetry: telemetry({ active, successRate: rate }) }),
        );
        const sorted = agents
          .map((one) => ({ one, score: scoreOf(one, statusAt(one, NOW.nowMs, TIMING)) }))
          .sort(
            (a, b) =>
              b.score - a.score ||
              a.one.registeredAtMs - b.one.registeredAtMs ||
              (a.one.agentId < b.one.agentId ? -1 : 1),
          );
        expect(idsOf(agents, { max })).toEqual(sorted.slice(0, max).map(({ one }) => one.agentId));
      }),
    );
  });

  test('an agent without heartbeat is neither ranked nor counted, not even when it is asked for', () => {
    const agents = [agent({ agentId: 'alive' }), agent({ agentId: 'silent', ...silent })];
    expect(rank(agents, NOW)).toMatchObject({ matching: 1, best: [{ candidate: { agent: { agentId: 'alive' } } }] });
    expect(idsOf(agents, { status: 'HEALTHY' })).toEqual(['alive']);
    expect(idsOf(agents, { status: 'UNHEALTHY' })).toEqual([]);
    expect(idsOf(agents, { status: 'DEGRADED' })).toEqual([]);
  });
});
