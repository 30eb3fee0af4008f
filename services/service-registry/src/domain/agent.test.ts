import { expect, test } from 'vitest';
import { agent, TIMING, telemetry } from '../testing/registry-fixture.ts';
import { agentIdOf, statusAt } from './agent.ts';

test('an agent is healthy until its heartbeat is older than the timeout', () => {
  const seen = agent({ lastSeenMs: 1_000 });
  expect(statusAt(seen, 31_000, TIMING)).toBe('HEALTHY');
  expect(statusAt(seen, 31_001, TIMING)).toBe('UNHEALTHY');
});

test('an agent that fails most of its work is degraded, and stays within reach', () => {
  expect(statusAt(agent({ telemetry: telemetry({ successRate: 0.5 }) }), 1_000_000, TIMING)).toBe('HEALTHY');
  expect(statusAt(agent({ telemetry: telemetry({ successRate: 0.49 }) }), 1_000_000, TIMING)).toBe('DEGRADED');
  expect(statusAt(agent({ telemetry: telemetry({ successRate: 0 }) }), 1_000_000, TIMING)).toBe('DEGRADED');
});

test('an agent that has executed nothing, or says nothing, is not ill', () => {
  const idle = telemetry({ successRate: 0, totalExecutions: 0 });
  expect(statusAt(agent({ telemetry: idle }), 1_000_000, TIMING)).toBe('HEALTHY');
  expect(statusAt(agent({ telemetry: undefined }), 1_000_000, TIMING)).toBe('HEALTHY');
});

test('the agent id follows from the identity and the instance, and from nothing else', () => {
  const id = agentIdOf('spiffe://a/b', 'c');
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(agentIdOf('spiffe://a/b', 'c')).toBe(id);
  expect(agentIdOf('spiffe://a/b', 'd')).not.toBe(id);
  expect(agentIdOf('spiffe://a/', 'bc')).not.toBe(id);
});
