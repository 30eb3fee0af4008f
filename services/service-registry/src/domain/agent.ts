import { createHash } from 'node:crypto';
import { SECURITY_LEVELS } from '@neural-hive/contracts';

export const AGENT_TYPES = ['WORKER', 'SCOUT', 'GUARD', 'ANALYST'] as const;
export type AgentType = (typeof AGENT_TYPES)[number];

/**
 * HEALTHY and DEGRADED agents may be discovered. UNHEALTHY is an agent that has stopped its heartbeat: it is kept for
 * a while, so that it can come back under its id, and then removed.
 */
export const AGENT_STATUSES = ['HEALTHY', 'DEGRADED', 'UNHEALTHY'] as const;
export type AgentStatus = (typeof AGENT_STATUSES)[number];

/** What an agent says about its own work. */
export interface Telemetry {
  /** Share of executions that succeeded, 0 to 1. Means nothing while `totalExecutions` is 0. */
  readonly successRate: number;
  readonly avgDurationMs: number;
  readonly totalExecutions: number;
  readonly failedExecutions: number;
  /** Epoch milliseconds; 0 for never. */
  readonly lastExecutionAtMs: number;
  /** Tickets the agent executes now. */
  readonly active: number;
  /** Tickets the agent executes at once at most; 0 when it does not say. */
  readonly capacity: number;
}

/** What an agent tells when it registers. */
export interface AgentDescription {
  readonly type: AgentType;
  /** Sorted, without repetition. */
  readonly capabilities: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly namespace: string;
  readonly cluster: string;
  readonly version: string;
}

export interface Agent extends AgentDescription {
  readonly agentId: string;
  /** The identity that registered the agent; only it may speak for it. */
  readonly spiffeId: string;
  readonly instanceId: string;
  readonly telemetry: Telemetry | undefined;
  /** The status as it was last announced; `statusAt` is what holds now. */
  readonly status: AgentStatus;
  readonly registeredAtMs: number;
  readonly lastSeenMs: number;
}

export interface HeartbeatTiming {
  /** An agent whose last heartbeat is older is UNHEALTHY. */
  readonly heartbeatTimeoutMs: number;
}

/** Below this share of successes an agent is DEGRADED. It stays discoverable: otherwise it could never recover. */
export const DEGRADED_SUCCESS_RATE = 0.5;

/** How an agent that sends its heartbeat is, by its own figures. One without telemetry is not ill. */
export function conditionOf({ telemetry }: Agent): Exclude<AgentStatus, 'UNHEALTHY'> {
  const failing =
    telemetry !== undefined && telemetry.totalExecutions > 0 && telemetry.successRate < DEGRADED_SUCCESS_RATE;
  return failing ? 'DEGRADED' : 'HEALTHY';
}

/** Whether the heartbeat has stopped. */
export function isSilent({ lastSeenMs }: Agent, nowMs: number, { heartbeatTimeoutMs }: HeartbeatTiming): boolean {
  return nowMs - lastSeenMs > heartbeatTimeoutMs;
}

export function statusAt(agent: Agent, nowMs: number, timing: HeartbeatTiming): AgentStatus {
  return isSilent(agent, nowMs, timing) ? 'UNHEALTHY' : conditionOf(agent);
}

/** The position in `SECURITY_LEVELS` up to which the agent is cleared: INTERNAL when it does not say. */
export function clearanceOf({ metadata }: AgentDescription): number {
  const level = metadata.security_level ?? 'INTERNAL';
  return (SECURITY_LEVELS as readonly string[]).indexOf(level);
}

/**
 * The id of an agent follows from who registers it and the name of its process, so that a repeated call finds the same
 * agent, on every replica, with nothing to look up. A UUID of version 8 (RFC 9562, section 5.8).
 */
export function agentIdOf(spiffeId: string, instanceId: string): string {
  const bytes = createHash('sha256').update(spiffeId).update('\0').update(instanceId).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

export function sameDescription(a: AgentDescription, b: AgentDescription): boolean {
  return (
    a.type === b.type &&
    a.namespace === b.namespace &&
    a.cluster === b.cluster &&
    a.version === b.version &&
    a.capabilities.join('\0') === b.capabilities.join('\0') &&
    sameMap(a.metadata, b.metadata)
  );
}

function sameMap(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key]);
}
