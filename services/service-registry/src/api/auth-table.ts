import { SPIFFE_IDS } from '@neural-hive/contracts';
import { ServiceRegistryService } from '@neural-hive/contracts/proto/service-registry';

const { orchestrator, worker, registry, operator } = SPIFFE_IDS;

/** Which identities may call which method. A method that is not here is refused to everyone. */
export const METHOD_CALLERS: Readonly<Record<string, readonly string[]>> = {
  [ServiceRegistryService.register.path]: [worker],
  [ServiceRegistryService.heartbeat.path]: [worker],
  [ServiceRegistryService.deregister.path]: [worker],
  [ServiceRegistryService.discoverAgents.path]: [worker, orchestrator],
  [ServiceRegistryService.getAgent.path]: [worker, orchestrator, operator],
  [ServiceRegistryService.listAgents.path]: [worker, orchestrator, operator],
  [ServiceRegistryService.watchAgents.path]: [worker, orchestrator, operator],
  [ServiceRegistryService.notifyAgent.path]: [orchestrator, operator],
};

/** Methods that need no token: a probe knows the state of the service, and nothing else, by mTLS alone. */
export const METHOD_EXCEPTIONS: readonly string[] = ['/grpc.health.v1.Health/Check', '/grpc.health.v1.Health/Watch'];

/** Who may open a connection at all. The registry itself is among them for its own probe. */
export const CONNECTION_CALLERS: readonly string[] = [worker, orchestrator, operator, registry];
