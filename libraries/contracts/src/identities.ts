/** The trust domain of every workload of the platform. */
export const TRUST_DOMAIN = 'neural-hive.local';

/** `iss` of every JWT-SVID of the platform; verifiers require it exactly. */
export const SPIFFE_ISSUER = 'https://spire-oidc.neural-hive.local';

/** Where a SPIRE agent listens on a node. `SPIFFE_ENDPOINT_SOCKET` wins over it. */
export const AGENT_SOCKET = '/run/spire/sockets/agent.sock';

/** The three services, with the Kubernetes namespace and service account that their identity is made of. */
export const WORKLOADS = {
  'orchestrator-dynamic': { namespace: 'neural-hive-orchestration', serviceAccount: 'orchestrator-dynamic' },
  'worker-agents': { namespace: 'neural-hive-execution', serviceAccount: 'worker-agents' },
  'service-registry': { namespace: 'neural-hive-registry', serviceAccount: 'service-registry' },
} as const satisfies Record<string, { namespace: string; serviceAccount: string }>;

export type WorkloadName = keyof typeof WORKLOADS;

export const WORKLOAD_NAMES = Object.keys(WORKLOADS) as readonly WorkloadName[];

/** `spiffe://neural-hive.local/ns/<namespace>/sa/<service account>` */
export function workloadSpiffeId(name: WorkloadName): string {
  const { namespace, serviceAccount } = WORKLOADS[name];
  return `spiffe://${TRUST_DOMAIN}/ns/${namespace}/sa/${serviceAccount}`;
}

export const SPIFFE_IDS = {
  orchestrator: workloadSpiffeId('orchestrator-dynamic'),
  worker: workloadSpiffeId('worker-agents'),
  registry: workloadSpiffeId('service-registry'),
  /** People and tools: the `hive` command. */
  operator: `spiffe://${TRUST_DOMAIN}/operator`,
} as const;

/** One audience a service. A token for one is refused by every other. */
export const AUDIENCES = {
  registry: 'service-registry.neural-hive.local',
  orchestrator: 'orchestrator-dynamic.neural-hive.local',
  vault: 'vault.neural-hive.local',
} as const;
