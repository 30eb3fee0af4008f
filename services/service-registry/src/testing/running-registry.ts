import type { ClientReadableStream } from '@grpc/grpc-js';
import { SPIFFE_IDS } from '@neural-hive/contracts';
import { type AgentChangeEvent, AgentType, RegisterRequest } from '@neural-hive/contracts/proto/service-registry';
import { createLogger, createServiceMetrics, type OpenService } from '@neural-hive/service-runtime';
import { openRegistryService } from '../composition.ts';
import { registryConfig } from '../config.ts';
import type { TestPlatform } from './test-platform.ts';

/** The whole service in this process. */
export interface RunningRegistry {
  readonly service: OpenService;
  readonly port: number;
  readonly managementPort: number;
  readonly logged: readonly string[];
  metrics(): Promise<string>;
  http(path: string): Promise<{ status: number; body: string }>;
}

export async function startRegistry(
  platform: TestPlatform,
  env: Readonly<Record<string, string>> = {},
): Promise<RunningRegistry> {
  const logged: string[] = [];
  const metrics = createServiceMetrics();
  const service = await openRegistryService(
    registryConfig({
      ENVIRONMENT: 'development',
      GRPC_PORT: '0',
      METRICS_PORT: '0',
      SPIFFE_ENDPOINT_SOCKET: await platform.endpointOf(SPIFFE_IDS.registry),
      ...env,
    }),
    {
      log: createLogger({ name: 'registry', level: 'trace', stream: { write: (line) => void logged.push(line) } }),
      metrics,
      signal: new AbortController().signal,
    },
  );
  const { grpcPort, metricsPort, managementPort } = service.ready as Record<string, number>;
  return {
    service,
    port: grpcPort ?? 0,
    managementPort: managementPort ?? 0,
    logged,
    metrics: () => metrics.registry.metrics(),
    async http(path) {
      const response = await fetch(`http://127.0.0.1:${metricsPort}${path}`);
      return { status: response.status, body: await response.text() };
    },
  };
}

export function registration(overrides: Partial<RegisterRequest> = {}): RegisterRequest {
  return {
    ...RegisterRequest.create({ agentType: AgentType.WORKER, capabilities: ['build', 'test'], instanceId: 'worker-1' }),
    ...overrides,
  };
}

/** The events of a stream, one by one. */
export function events(stream: ClientReadableStream<AgentChangeEvent>): () => Promise<AgentChangeEvent> {
  const iterator = stream[Symbol.asyncIterator]() as AsyncIterator<AgentChangeEvent>;
  return async () => (await iterator.next()).value;
}
