import { FakeClock } from '@neural-hive/security/testing';
import { MemoryStore } from '../adapters/memory-store.ts';
import type { Agent, Telemetry } from '../domain/agent.ts';
import { type RegisterCommand, Registry } from '../domain/registry.ts';
import { Watchers } from '../domain/watchers.ts';

export const WORKER = 'spiffe://neural-hive.local/ns/neural-hive-execution/sa/worker-agents';
export const OTHER_WORKER = 'spiffe://neural-hive.local/ns/neural-hive-execution/sa/other-agents';

export const TIMING = { heartbeatTimeoutMs: 30_000 };

export async function openRegistry({
  journalPath,
  maxAgentsPerIdentity = 10,
  keptChanges = 10_000,
  clock = new FakeClock(1_000_000),
}: {
  journalPath?: string;
  maxAgentsPerIdentity?: number;
  keptChanges?: number;
  clock?: FakeClock;
} = {}): Promise<{ registry: Registry; store: MemoryStore; watchers: Watchers; clock: FakeClock }> {
  const store = await MemoryStore.open({ journalPath, keptChanges, firstRevision: 0 });
  const watchers = new Watchers({ store, maxPerIdentity: 3 });
  const registry = new Registry({ store, timing: TIMING, maxAgentsPerIdentity, maxAgents: 1_000, clock });
  return { registry, store, watchers, clock };
}

export function command(overrides: Partial<RegisterCommand> = {}): RegisterCommand {
  return {
    type: 'WORKER',
    capabilities: ['build', 'test'],
    metadata: {},
    namespace: 'neural-hive-execution',
    cluster: 'local',
    version: '1.0.0',
    instanceId: 'worker-1',
    telemetry: undefined,
    ...overrides,
  };
}

export function telemetry(overrides: Partial<Telemetry> = {}): Telemetry {
  return {
    successRate: 1,
    avgDurationMs: 10,
    totalExecutions: 10,
    failedExecutions: 0,
    lastExecutionAtMs: 900_000,
    active: 0,
    capacity: 4,
    ...overrides,
  };
}

export function agent(overrides: Partial<Agent> = {}): Agent {
  return {
    ...command(),
    agentId: '00000000-0000-8000-8000-000000000001',
    spiffeId: WORKER,
    status: 'HEALTHY',
    registeredAtMs: 1_000_000,
    lastSeenMs: 1_000_000,
    ...overrides,
  };
}
