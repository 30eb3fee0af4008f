import { describe, expect, test } from 'vitest';
import { agent, TIMING, telemetry } from '../testing/registry-fixture.ts';
import type { Agent } from './agent.ts';
import { chooseBest, compareScored, matches, parseFilter, scoreOf } from './discovery.ts';

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

describe('the choice', () => {
  const NOW = { nowMs: 1_000_000, timing: TIMING, max: 10 };
  const scored = (one: Agent) => ({ agent: one, score: scoreOf(one) });
  const idsOf = (agents: readonly Agent[], max = 10) =>
    chooseBest(agents.map(scored).sort(compareScored), { ...NOW, max }).best.map(
      ({ candidate }) => candidate.agent.agentId,
    );

  test('health, successes and free capacity each move the score', () => {
    expect(scoreOf(agent({ telemetry: telemetry() }))).toBe(1);
    expect(scoreOf(agent({ telemetry: telemetry({ successRate: 0.5 }) }))).toBe(0.85);
    // Below the half it is the health, too.
    expect(scoreOf(agent({ telemetry: telemetry({ successRate: 0.4 }) }))).toBe(0.62);
    expect(scoreOf(agent({ telemetry: telemetry({ active: 4 }) }))).toBe(0.7);
    expect(scoreOf(agent({ telemetry: telemetry({ active: 40 }) }))).toBe(0.7);
  });

  test('what an agent does not say counts half', () => {
    expect(scoreOf(agent({ telemetry: undefined }))).toBe(0.7);
    const idle = telemetry({ totalExecutions: 0, successRate: 0, capacity: 0 });
    expect(scoreOf(agent({ telemetry: idle }))).toBe(0.7);
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
      expect(idsOf(order, 2)).toEqual(['z', 'b']);
    }
  });

  test('an agent whose heartbeat has stopped is passed over, however good it was', () => {
    const silent = agent({
      agentId: 'silent',
      telemetry: telemetry(),
      lastSeenMs: NOW.nowMs - TIMING.heartbeatTimeoutMs - 1,
    });
    const alive = agent({ agentId: 'alive', telemetry: telemetry({ successRate: 0.1 }) });
    expect(idsOf([silent, alive], 1)).toEqual(['alive']);
    expect(chooseBest([scored(silent), scored(alive)], NOW)).toMatchObject({
      best: [{ candidate: { agent: alive, status: 'DEGRADED' }, score: scoreOf(alive) }],
      evaluated: 2,
    });
  });
});
