import { Server, type ServerInterceptor } from '@grpc/grpc-js';
import { type ServiceRegistryServer, ServiceRegistryService } from '@neural-hive/contracts/proto/service-registry';
import { listenSpiffe } from '@neural-hive/security/grpc';
import { matchOneOf } from '@neural-hive/security/spiffe';
import type { X509Identity } from '@neural-hive/security/tls';
import { CONNECTION_CALLERS } from './auth-table.ts';
import { HEALTH_SERVICE } from './health-message.ts';
import type { HealthService } from './health-service.ts';

export interface GrpcServerOptions {
  readonly identity: X509Identity;
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly service: ServiceRegistryServer;
  readonly health: HealthService;
  readonly authentication: ServerInterceptor;
}

export interface GrpcServer {
  readonly port: number;
  /** Lets calls that run finish. Watch streams have to be ended by their own signal. */
  close(): Promise<void>;
}

/** A request with the most that the limits allow is below this. */
const MAX_REQUEST_BYTES = 131_072;

/** gRPC behind mTLS: only the platform's identities may connect, and every method authenticates its caller. */
export async function listenGrpc(options: GrpcServerOptions): Promise<GrpcServer> {
  const { identity, host, port, service, health, authentication } = options;
  const server = new Server({
    interceptors: [authentication],
    'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
    'grpc.max_concurrent_streams': 1_000,
  });
  server.addService(ServiceRegistryService, service);
  server.addService(HEALTH_SERVICE, { check: health.check, watch: health.watch });
  const listener = await listenSpiffe(server, { identity, authorize: matchOneOf(...CONNECTION_CALLERS), host, port });
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const drained = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    await listener.close();
    await drained;
  };
  return {
    port: listener.port,
    close() {
      closed ??= close();
      return closed;
    },
  };
}
