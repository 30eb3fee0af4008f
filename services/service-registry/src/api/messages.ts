import {
  type AgentChangeEvent,
  AgentChangeEvent_EventType,
  type AgentInfo,
  AgentStatus as AgentStatusCode,
  type AgentTelemetry,
  AgentType as AgentTypeCode,
  type RegisterRequest,
} from '@neural-hive/contracts/proto/service-registry';
import { AGENT_TYPES, type AgentType, type Telemetry } from '../domain/agent.ts';
import type { Change } from '../domain/change-log.ts';
import type { AgentNow, RegisterCommand } from '../domain/registry.ts';
import { RegistryError } from '../domain/registry-error.ts';

/** The version of `AgentInfo` that this service writes. */
const SCHEMA_VERSION = 1;

/** The type behind a code; undefined for UNSPECIFIED. Throws `invalid` for a code that has no name. */
export function agentTypeOf(code: AgentTypeCode): AgentType | undefined {
  if (code === AgentTypeCode.AGENT_TYPE_UNSPECIFIED) return undefined;
  const type = AGENT_TYPES.find((name) => AgentTypeCode[name] === code);
  if (type === undefined) throw new RegistryError('invalid', `agent_type must be one of ${AGENT_TYPES.join(', ')}`);
  return type;
}

export function telemetryOf(message: AgentTelemetry | undefined): Telemetry | undefined {
  if (message === undefined) return undefined;
  const { lastExecutionAt, ...rest } = message;
  return { ...rest, lastExecutionAtMs: lastExecutionAt };
}

export function registerCommandOf(request: RegisterRequest): RegisterCommand {
  const type = agentTypeOf(request.agentType);
  if (type === undefined) throw new RegistryError('invalid', `agent_type must be one of ${AGENT_TYPES.join(', ')}`);
  const { capabilities, metadata, namespace, cluster, version, instanceId } = request;
  const telemetry = telemetryOf(request.telemetry);
  return { type, capabilities, metadata, namespace, cluster, version, instanceId, telemetry };
}

export function agentInfoOf({ agent, status }: AgentNow): AgentInfo {
  return {
    agentId: agent.agentId,
    agentType: AgentTypeCode[agent.type],
    capabilities: [...agent.capabilities],
    metadata: { ...agent.metadata },
    telemetry: telemetryMessageOf(agent.telemetry),
    status: AgentStatusCode[status],
    registeredAt: agent.registeredAtMs,
    lastSeen: agent.lastSeenMs,
    namespace: agent.namespace,
    cluster: agent.cluster,
    version: agent.version,
    schemaVersion: SCHEMA_VERSION,
    spiffeId: agent.spiffeId,
  };
}

export function changeEventOf({ revision, type, agent, atMs, notification }: Change): AgentChangeEvent {
  return {
    eventType: AgentChangeEvent_EventType[type],
    agent: agentInfoOf({ agent, status: agent.status }),
    timestamp: atMs,
    revision,
    notification: notification && {
      notificationType: notification.type,
      message: notification.message,
      metadata: { ...notification.metadata },
    },
  };
}

function telemetryMessageOf(telemetry: Telemetry | undefined): AgentTelemetry | undefined {
  if (telemetry === undefined) return undefined;
  const { lastExecutionAtMs, ...rest } = telemetry;
  return { ...rest, lastExecutionAt: lastExecutionAtMs };
}

const AGENT_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Throws `invalid` for what cannot be an agent id. */
export function checkedAgentId(agentId: string): string {
  if (!AGENT_ID.test(agentId)) throw new RegistryError('invalid', 'agent_id must be an id that Register returned');
  return agentId;
}

/** A page token is the id of the last agent of the page before. */
export function encodePageToken(afterId: string | undefined): string {
  return afterId === undefined ? '' : Buffer.from(afterId).toString('base64url');
}

/** Throws `invalid` for a token that this service has not made. */
export function decodePageToken(token: string): string {
  if (token === '') return '';
  const afterId = Buffer.from(token.slice(0, 64), 'base64url').toString();
  if (!AGENT_ID.test(afterId) || encodePageToken(afterId) !== token) {
    throw new RegistryError('invalid', 'page_token must be the next_page_token of an earlier answer');
  }
  return afterId;
}
