import { SECURITY_LEVELS } from '@neural-hive/contracts';
import {
  AGENT_STATUSES,
  AGENT_TYPES,
  type Agent,
  type AgentStatus,
  type AgentType,
  clearanceOf,
  type HeartbeatTiming,
  statusAt,
} from './agent.ts';
import { LIMITS } from './limits.ts';
import { RegistryError } from './registry-error.ts';

/** An agent with the status that holds now. */
export interface Candidate {
  readonly agent: Agent;
  readonly status: AgentStatus;
}

export interface AgentFilter {
  readonly type?: AgentType;
  readonly namespace?: string;
  readonly cluster?: string;
  readonly version?: string;
  readonly status?: AgentStatus;
  /** The least level that an agent is cleared for. */
  readonly securityLevel?: (typeof SECURITY_LEVELS)[number];
}

/** Reads the filters of a request. An unknown key is refused: ignoring it would return agents that do not match. */
export function parseFilter(filters: Readonly<Record<string, string>>): AgentFilter {
  const entries = Object.entries(filters);
  if (entries.length > LIMITS.filters) {
    throw new RegistryError('invalid', `filters has more than ${LIMITS.filters} entries`);
  }
  return Object.assign({}, ...entries.map(([key, value]) => parseOne(key, value))) as AgentFilter;
}

function parseOne(key: string, value: string): AgentFilter {
  switch (key) {
    case 'agent_type':
      return { type: oneOf(key, value, AGENT_TYPES) };
    case 'status':
      return { status: oneOf(key, value, AGENT_STATUSES) };
    case 'security_level':
      return { securityLevel: oneOf(key, value, SECURITY_LEVELS) };
    case 'namespace':
    case 'cluster':
    case 'version':
      return { [key]: value };
    default:
      throw new RegistryError(
        'invalid',
        'a filter must be one of agent_type, namespace, cluster, version, status, security_level',
      );
  }
}

function oneOf<T extends string>(key: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value.toUpperCase());
  if (found === undefined) throw new RegistryError('invalid', `filter ${key} must be one of ${allowed.join(', ')}`);
  return found;
}

export function matches({ agent, status }: Candidate, filter: AgentFilter): boolean {
  return (
    (filter.type === undefined || agent.type === filter.type) &&
    (filter.namespace === undefined || agent.namespace === filter.namespace) &&
    (filter.cluster === undefined || agent.cluster === filter.cluster) &&
    (filter.version === undefined || agent.version === filter.version) &&
    (filter.status === undefined || status === filter.status) &&
    (filter.securityLevel === undefined || clearanceOf(agent) >= SECURITY_LEVELS.indexOf(filter.securityLevel))
  );
}

export interface Ranked {
  readonly candidate: Candidate;
  /** 0 to 1. */
  readonly score: number;
}

const WEIGHT = { health: 0.4, success: 0.3, load: 0.3 } as const;
/** What counts for a figure that an agent has not given: neither the best nor the worst. */
const UNKNOWN = 0.5;

/** How good a choice the agent is, 0 to 1: its health, its successes, its free capacity. */
export function scoreOf({ telemetry }: Agent, status: AgentStatus): number {
  const health = status === 'HEALTHY' ? 1 : status === 'DEGRADED' ? 0.5 : 0;
  const success = telemetry === undefined || telemetry.totalExecutions === 0 ? UNKNOWN : telemetry.successRate;
  const free =
    telemetry === undefined || telemetry.capacity === 0
      ? UNKNOWN
      : Math.max(0, 1 - telemetry.active / telemetry.capacity);
  const score = WEIGHT.health * health + WEIGHT.success * success + WEIGHT.load * free;
  // Sums in another order differ in the last bit, and equal agents must compare equal.
  return Math.round(score * 1e6) / 1e6;
}

export interface RankOptions {
  readonly nowMs: number;
  readonly timing: HeartbeatTiming;
  /** Only agents with this status. */
  readonly status?: AgentStatus | undefined;
  /** How many of the best are wanted. */
  readonly max: number;
}

/**
 * The best of the agents that may be given work. Equals come in the order of their registration, then of their ids, so
 * that every call agrees. `matching` is how many there were.
 */
export function rank(
  agents: readonly Agent[],
  { nowMs, timing, status: wanted, max }: RankOptions,
): { readonly best: readonly Ranked[]; readonly matching: number } {
  const best: Ranked[] = [];
  let matching = 0;
  for (const agent of agents) {
    const status = statusAt(agent, nowMs, timing);
    if (!isDiscoverable(status) || (wanted !== undefined && status !== wanted)) continue;
    matching += 1;
    const score = scoreOf(agent, status);
    const worst = best[max - 1];
    if (worst !== undefined && compare(score, agent, worst) > 0) continue;
    if (worst !== undefined) best.pop();
    let place = best.length;
    // Nearly all of many agents end above at the worst one, so the way to the place of the others may be a walk.
    for (
      let above = best[place - 1];
      above !== undefined && compare(score, agent, above) < 0;
      above = best[place - 1]
    ) {
      place -= 1;
    }
    best.splice(place, 0, { candidate: { agent, status }, score });
  }
  return { best, matching };
}

/** Negative when the agent is better than the one that is ranked already. */
function compare(score: number, agent: Agent, ranked: Ranked): number {
  const other = ranked.candidate.agent;
  return (
    ranked.score - score || agent.registeredAtMs - other.registeredAtMs || (agent.agentId < other.agentId ? -1 : 1)
  );
}

/** Whether an agent may be given work. */
export function isDiscoverable(status: AgentStatus): boolean {
  return status !== 'UNHEALTHY';
}
