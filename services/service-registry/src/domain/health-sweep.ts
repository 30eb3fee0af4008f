import { type Clock, systemClock } from '@neural-hive/security/common';
import { type Agent, type AgentStatus, type AgentType, type HeartbeatTiming, statusAt } from './agent.ts';
import type { AgentStore, Decision, NewChange } from './agent-store.ts';
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

/** One look at every agent: announces those that have become UNHEALTHY, removes those that stayed away. */
export async function sweepAgents(options: HealthSweepOptions): Promise<void> {
  const { store, timing, sinceMs, metrics, clock = systemClock } = options;
  const counts = new Map<`${AgentType}:${AgentStatus}`, number>();
  const { agents } = await store.snapshot();
  const nowMs = clock.now();
  const verdicts = await Promise.all(
    agents.map((agent) => {
      const verdict = judge(agent, nowMs, sinceMs, timing);
      // Nearly every agent is as it was; only the others are worth a write, which judges what is there by then.
      if (verdict.kind === 'keep') return verdict.result;
      return store.update(agent.agentId, (current) => judge(current, nowMs, sinceMs, timing));
    }),
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

interface Verdict {
  readonly outcome: 'alive' | 'unhealthy' | 'removed';
  readonly agent: Agent | undefined;
}

function judge(current: Agent | undefined, nowMs: number, sinceMs: number, timing: HeartbeatTiming): Decision<Verdict> {
  if (current === undefined) return { kind: 'keep', result: { outcome: 'alive', agent: undefined } };
  const absentMs = nowMs - Math.max(current.lastSeenMs, sinceMs);
  const status = statusAt(current, nowMs, timing);
  const agent: Agent = current.status === status ? current : { ...current, status };
  if (status === 'UNHEALTHY' && absentMs > REMOVAL_TIMEOUTS * timing.heartbeatTimeoutMs) {
    const change: NewChange = { type: 'DEREGISTERED', agent, atMs: nowMs };
    return { kind: 'change', change, result: { outcome: 'removed', agent } };
  }
  if (agent === current) return { kind: 'keep', result: { outcome: 'alive', agent } };
  const outcome = status === 'UNHEALTHY' ? 'unhealthy' : 'alive';
  return { kind: 'change', change: { type: 'STATUS_CHANGED', agent, atMs: nowMs }, result: { outcome, agent } };
}
