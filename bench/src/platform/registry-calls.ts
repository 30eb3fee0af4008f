import type { Client } from '@grpc/grpc-js';
import { AgentType, ServiceRegistryService } from '@neural-hive/contracts/proto/service-registry';
import { concurrently } from '../cpu-time.ts';

const { register, heartbeat, discoverAgents } = ServiceRegistryService;

interface Method<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (request: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

export function call<Request, Response>(
  client: Client,
  { path, requestSerialize, responseDeserialize }: Method<Request, Response>,
  request: Request,
): Promise<Response> {
  return new Promise((resolve, reject) =>
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, response) =>
      error !== null || response === undefined ? reject(error) : resolve(response),
    ),
  );
}

/** What an agent of a usual size says of itself. */
export function agentNamed(index: number, capabilities: readonly string[]) {
  return {
    agentType: AgentType.WORKER,
    capabilities: [...capabilities, `language-${index % 20}`, `region-${index % 7}`, 'linux'],
    metadata: {
      host: `node-${index}.example.internal`,
      image: 'registry.example/worker:1.4.2',
      security_level: 'INTERNAL',
    },
    namespace: 'neural-hive-execution',
    cluster: `cluster-${index % 5}`,
    version: '1.4.2',
    instanceId: `worker-${index}`,
    telemetry: telemetryOf(index),
  };
}

export function telemetryOf(executions: number) {
  return {
    successRate: 0.9 + (executions % 10) / 100,
    avgDurationMs: 1_200,
    totalExecutions: executions + 1,
    failedExecutions: executions % 3,
    lastExecutionAt: Date.now(),
    active: executions % 5,
    capacity: 8,
  };
}

/** Registers the agents with numbers from `from` to below `to`; their ids. */
export async function registerAgents(
  client: Client,
  from: number,
  to: number,
  capabilities: readonly string[],
): Promise<string[]> {
  const ids: string[] = [];
  await concurrently(64, async (index) => {
    const { agentId } = await call(client, register, agentNamed(from + index - 1, capabilities));
    ids.push(agentId);
  })(to - from);
  return ids;
}

export function discover(client: Client, capability: string): Promise<unknown> {
  return call(client, discoverAgents, { capabilities: [capability], filters: {}, maxResults: 5 });
}

export function beat(client: Client, agentId: string, executions: number): Promise<unknown> {
  return call(client, heartbeat, { agentId, telemetry: telemetryOf(executions) });
}
