import type { Clock } from '@neural-hive/security/common';
import { MemoryStore } from '../adapters/memory-store.ts';
import type { Agent, Telemetry } from '../domain/agent.ts';
import { type RegisterCommand, Registry } from '../domain/registry.ts';
import { Watchers } from '../domain/watchers.ts';

export const WORKER = 'spiffe://neural-hive.local/ns/neural-hive-execution/sa/worker-agents';
export const OTHER_WORKER = 'spiffe://neural-hive.local/ns/neural-hive-execution/sa/other-agents';

/** A clock that a test moves. */
export class HandClock implements Clock {
  #nowMs = 1_000_000;

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  setTimer(): never {
    throw new Error('nothing here waits');
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }
}

export const TIMING = { heartbeatTimeoutMs: 30_000 };

export async function openRegistry({
  journalPath,
  maxAgentsPerIdentity = 10,
  keptChanges = 10_000,
  clock = new HandClock(),
}: {
  journalPath?: string;
  maxAgentsPerIdentity?: number;
  keptChanges?: number;
  clock?: HandClock;
} = {}): Promise<{ registry: Registry; store: MemoryStore; watchers: Watchers; clock: HandClock }> {
  const store = await MemoryStore.open({ journalPath, keptChanges });
  const watchers = new Watchers({ store, maxPerIdentity: 3 });
  const registry = new Registry({ store, watchers, timing: TIMING, maxAgentsPerIdentity, maxAgents: 1_000, clock });
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
