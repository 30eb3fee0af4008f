import { SECURITY_LEVELS } from '@neural-hive/contracts';
import { AGENT_STATUSES, AGENT_TYPES, type Agent, type AgentStatus, type AgentType } from './agent.ts';
import { isSecurityLevel, LIMITS } from './limits.ts';
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

/** An agent that does not say is cleared for INTERNAL. */
function clearanceOf(agent: Agent): number {
  const level = agent.metadata.security_level ?? 'INTERNAL';
  return isSecurityLevel(level) ? SECURITY_LEVELS.indexOf(level) : -1;
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
export function scoreOf({ agent, status }: Candidate): number {
  const { telemetry } = agent;
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

/** Best first; equals in the order of their registration, then of their ids, so that every call agrees. */
export function rank(candidates: readonly Candidate[], max: number): readonly Ranked[] {
  return candidates
    .map((candidate) => ({ candidate, score: scoreOf(candidate) }))
    .sort(
      (a, b) =>
        b.score - a.score ||
        a.candidate.agent.registeredAtMs - b.candidate.agent.registeredAtMs ||
        (a.candidate.agent.agentId < b.candidate.agent.agentId ? -1 : 1),
    )
    .slice(0, max);
}

/** Agents that may be given work. */
export function isDiscoverable({ status }: Candidate): boolean {
  return status !== 'UNHEALTHY';
}
