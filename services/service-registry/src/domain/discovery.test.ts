import { describe, expect, test } from 'vitest';
import { agent, telemetry } from '../testing/registry-fixture.ts';
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
  test('health, successes and free capacity each move the score', () => {
    const full = scoreOf(healthy({ telemetry: telemetry() }));
    expect(full).toBe(1);
    expect(scoreOf({ agent: agent({ telemetry: telemetry() }), status: 'DEGRADED' })).toBe(0.8);
    expect(scoreOf(healthy({ telemetry: telemetry({ successRate: 0.5 }) }))).toBe(0.85);
    expect(scoreOf(healthy({ telemetry: telemetry({ active: 4 }) }))).toBe(0.7);
    expect(scoreOf(healthy({ telemetry: telemetry({ active: 40 }) }))).toBe(0.7);
  });

  test('what an agent does not say counts half', () => {
    expect(scoreOf(healthy({ telemetry: undefined }))).toBe(0.7);
    expect(scoreOf(healthy({ telemetry: telemetry({ totalExecutions: 0, successRate: 0, capacity: 0 }) }))).toBe(0.7);
  });

  test('equals come in the order of their registration, then of their ids, whatever the input order', () => {
    const a = healthy({ agentId: 'a', registeredAtMs: 2 });
    const b = healthy({ agentId: 'b', registeredAtMs: 1 });
    const c = healthy({ agentId: 'c', registeredAtMs: 2 });
    const best = healthy({ agentId: 'z', registeredAtMs: 9, telemetry: telemetry() });
    for (const order of [
      [a, b, c, best],
      [best, c, b, a],
      [c, a, best, b],
    ]) {
      expect(rank(order, 10).map(({ candidate }) => candidate.agent.agentId)).toEqual(['z', 'b', 'a', 'c']);
    }
    expect(rank([a, b, c], 2)).toHaveLength(2);
  });
});
