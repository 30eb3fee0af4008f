import { type Clock, systemClock } from '@neural-hive/security/common';
import { type Agent, type AgentStatus, type AgentType, type HeartbeatTiming, statusAt } from './agent.ts';
import type { AgentStore, Decision } from './agent-store.ts';
import type { RegistryMetrics } from './registry-metrics.ts';

export interface HealthSweepOptions {
  readonly store: AgentStore;
  readonly timing: HeartbeatTiming;
  /**
   * Since when agents can have reached the registry, in epoch milliseconds: after an outage of the registry nobody is
   * removed before they had the time of a full removal to come back.
   */
  readonly sinceMs: number;
  readonly metrics?: RegistryMetrics | undefined;
  readonly clock?: Clock;
}

/** An agent is removed when its last heartbeat is older than this many heartbeat timeouts. */
export const REMOVAL_TIMEOUTS = 2;

type Outcome = 'alive' | 'unhealthy' | 'removed';

/** One look at every agent: announces those that have become UNHEALTHY, removes those that stayed away. */
export async function sweepAgents(options: HealthSweepOptions): Promise<void> {
  const { store, timing, sinceMs, metrics, clock = systemClock } = options;
  const counts = new Map<`${AgentType}:${AgentStatus}`, number>();
  const { agents } = await store.snapshot();
  const nowMs = clock.now();
  const verdicts = await Promise.all(
    agents.map(({ agentId }) => store.update(agentId, (current) => judge(current, nowMs, sinceMs, timing))),
  );
  for (const { outcome, agent } of verdicts) {
    if (outcome === 'unhealthy') metrics?.markedUnhealthy();
    if (outcome === 'removed') metrics?.removed();
    if (agent !== undefined && outcome !== 'removed') {
      const key = `${agent.type}:${agent.status}` as const;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  metrics?.healthCheck();
  metrics?.agents(counts);
}

function judge(
  current: Agent | undefined,
  nowMs: number,
  sinceMs: number,
  timing: HeartbeatTiming,
): Decision<{ outcome: Outcome; agent: Agent | undefined }> {
  if (current === undefined) return { kind: 'keep', result: { outcome: 'alive', agent: undefined } };
  const absentMs = nowMs - Math.max(current.lastSeenMs, sinceMs);
  const status = statusAt(current, nowMs, timing);
  const agent: Agent = current.status === status ? current : { ...current, status };
  if (status === 'UNHEALTHY' && absentMs > REMOVAL_TIMEOUTS * timing.heartbeatTimeoutMs) {
    return { kind: 'change', type: 'DEREGISTERED', agent, atMs: nowMs, result: { outcome: 'removed', agent } };
  }
  if (agent === current) return { kind: 'keep', result: { outcome: 'alive', agent } };
  const outcome = status === 'UNHEALTHY' ? 'unhealthy' : 'alive';
  return { kind: 'change', type: 'STATUS_CHANGED', agent, atMs: nowMs, result: { outcome, agent } };
}
