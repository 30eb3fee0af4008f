import { SECURITY_LEVELS } from '@neural-hive/contracts';
import {
  AGENT_STATUSES,
  AGENT_TYPES,
  type Agent,
  type AgentStatus,
  type AgentType,
  clearanceOf,
  conditionOf,
  type HeartbeatTiming,
  isSilent,
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

/** An agent and how good a choice it is while it sends its heartbeat. */
export interface Scored {
  readonly agent: Agent;
  /** 0 to 1. */
  readonly score: number;
}

export interface Ranked {
  readonly candidate: Candidate;
  /** 0 to 1. */
  readonly score: number;
}

const WEIGHT = { health: 0.4, success: 0.3, load: 0.3 } as const;
const HEALTH = { HEALTHY: 1, DEGRADED: 0.5 } as const;
/** What counts for a figure that an agent has not given: neither the best nor the worst. */
const UNKNOWN = 0.5;

/** How good a choice the agent is, 0 to 1: its health, its successes, its free capacity. */
export function scoreOf(agent: Agent): number {
  const { telemetry } = agent;
  const success = telemetry === undefined || telemetry.totalExecutions === 0 ? UNKNOWN : telemetry.successRate;
  const free =
    telemetry === undefined || telemetry.capacity === 0
      ? UNKNOWN
      : Math.max(0, 1 - telemetry.active / telemetry.capacity);
  const score = WEIGHT.health * HEALTH[conditionOf(agent)] + WEIGHT.success * success + WEIGHT.load * free;
  // Sums in another order differ in the last bit, and equal agents must compare equal.
  return Math.round(score * 1e6) / 1e6;
}

/** Best first; equals in the order of their registration, then of their ids, so that every call agrees. */
export function compareScored(a: Scored, b: Scored): number {
  if (a.score !== b.score) return b.score - a.score;
  if (a.agent.registeredAtMs !== b.agent.registeredAtMs) return a.agent.registeredAtMs - b.agent.registeredAtMs;
  return a.agent.agentId < b.agent.agentId ? -1 : a.agent.agentId === b.agent.agentId ? 0 : 1;
}

/** The first `max` of the agents, which come best first, that send their heartbeat, and how many were looked at. */
export function chooseBest(
  agents: Iterable<Scored>,
  { nowMs, timing, max }: { readonly nowMs: number; readonly timing: HeartbeatTiming; readonly max: number },
): { readonly best: readonly Ranked[]; readonly evaluated: number } {
  const best: Ranked[] = [];
  let evaluated = 0;
  for (const { agent, score } of agents) {
    evaluated += 1;
    // Nobody has noticed yet that its heartbeat has stopped.
    if (isSilent(agent, nowMs, timing)) continue;
    best.push({ candidate: { agent, status: conditionOf(agent) }, score });
    if (best.length === max) break;
  }
  return { best, evaluated };
}
