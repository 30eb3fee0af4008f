import { join } from 'node:path';
import { WORKLOAD_NAMES, WORKLOADS } from '@neural-hive/contracts';
import type { RenderOptions } from '../helm.ts';

export type ServiceName = (typeof WORKLOAD_NAMES)[number];

export const SERVICE_NAMES: readonly ServiceName[] = WORKLOAD_NAMES;

export function serviceChart(root: string, name: string): string {
  return join(root, 'helm-charts', name);
}

/** What only an installation knows. */
const PLACE: Readonly<Record<ServiceName, Readonly<Record<string, unknown>>>> = {
  'orchestrator-dynamic': {
    settings: { POSTGRES_HOST: 'db.example.com' },
    networkPolicy: {
      clients: [{ name: 'ingress', namespace: 'ingress-nginx' }],
      egress: [{ name: 'postgres', port: 5432, cidrs: ['10.1.0.0/16'] }],
    },
  },
  'worker-agents': {
    settings: { POSTGRES_HOST: 'db.example.com' },
    networkPolicy: { egress: [{ name: 'postgres', port: 5432, cidrs: ['10.1.0.0/16'] }] },
  },
  'service-registry': {
    settings: { REDIS_HOST: 'redis.example.com' },
    networkPolicy: { egress: [{ name: 'redis', port: 6379, cidrs: ['10.1.0.0/16'] }] },
  },
};

export type Values = Readonly<Record<string, unknown>>;

/** The values laid over one another, objects field by field. */
export function overlaid(base: Values, over: Values): Values {
  const fields = Object.entries(over).map(([name, value]) => {
    const under = base[name];
    return [name, isObject(under) && isObject(value) ? overlaid(under, value) : value];
  });
  return { ...base, ...Object.fromEntries(fields) };
}

function isObject(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The chart of a service as its production profile installs it, with what an installation adds. */
export function production(root: string, name: ServiceName, values: Values = {}): RenderOptions {
  const chart = serviceChart(root, name);
  return {
    ...{ chart, release: name, namespace: WORKLOADS[name].namespace },
    valueFiles: [join(chart, 'values-prod.yaml')],
    values: overlaid(PLACE[name], values),
  };
}

/** As its development profile does, which is complete by itself. */
export function development(root: string, name: ServiceName, values: Values = {}): RenderOptions {
  const chart = serviceChart(root, name);
  return {
    ...{ chart, release: name, namespace: WORKLOADS[name].namespace },
    ...{ valueFiles: [join(chart, 'values-dev.yaml')], values },
  };
}

/** The registry as one process with a journal. */
export const JOURNAL: Values = {
  ...{ replicas: 1, autoscaling: { enabled: false } },
  settings: { REGISTRY_STORE: 'memory', REGISTRY_JOURNAL_FILE: '/var/lib/neural-hive/journal' },
};

/** Kafka, a policy server, a MongoDB and a cluster that workers ask. */
export const PEERS_OF_WORKERS = {
  kafka: { ca: { configMap: 'kafka-ca' } },
  opa: { ca: { configMap: 'opa-ca' }, token: { secret: 'opa-token' } },
  kubernetes: {
    targets: { configMap: 'targets' },
    rights: [{ namespace: 'default', deployments: ['web'], jobs: true }],
  },
  settings: {
    OPA_URL: 'https://opa.policies.svc:8181',
    OPA_SPIFFE_ID: 'spiffe://neural-hive.local/ns/policies/sa/opa',
    OPA_POLICIES: 'deploy/allow',
    QUERY_MONGODB_URI: 'mongodb://mongodb.mongodb.svc:27017/shop?tls=true',
    KUBERNETES_API_URL: 'https://kubernetes.default.svc',
    TICKET_TRANSPORT: 'kafka',
    ...{ KAFKA_BOOTSTRAP_SERVERS: 'kafka-0.kafka.svc:9093', KAFKA_CONSUMER_GROUP_ID: 'workers' },
    ...{ KAFKA_MAX_MESSAGE_BYTES: '1000000', KAFKA_SESSION_TIMEOUT_SECONDS: '10' },
  },
  networkPolicy: {
    egress: [
      { name: 'postgres', port: 5432, cidrs: ['10.1.0.0/16'] },
      { name: 'opa', port: 8181, namespace: 'policies' },
      { name: 'mongodb', port: 27017, namespace: 'mongodb' },
      { name: 'api-server', port: 443, cidrs: ['10.0.0.0/20'] },
      { name: 'kafka', port: 9093, namespace: 'kafka' },
    ],
  },
} as const;

/** Plans on Temporal, MongoDB and Kafka. */
export const PRODUCTION_ENGINE = {
  temporal: { ca: { configMap: 'temporal-ca' } },
  kafka: { ca: { configMap: 'kafka-ca' } },
  settings: {
    ...{ ORCHESTRATOR_ENGINE: 'temporal', TICKET_TRANSPORT: 'kafka' },
    ...{ TEMPORAL_HOST: 'temporal.temporal.svc', TEMPORAL_NAMESPACE: 'default', TEMPORAL_TASK_QUEUE: 'orchestrator' },
    TEMPORAL_TLS_SERVER_NAME: 'temporal',
    ...{
      MONGODB_URI: 'mongodb://mongodb.mongodb.svc:27017/?tls=true',
      MONGODB_DATABASE: 'plans',
      MONGODB_CREDENTIALS: 'kv',
    },
    ...{ KAFKA_BOOTSTRAP_SERVERS: 'kafka-0.kafka.svc:9093,kafka-1.kafka.svc:9093', KAFKA_CONSUMER_GROUP_ID: 'plans' },
    ...{ KAFKA_MAX_MESSAGE_BYTES: '1000000', KAFKA_SESSION_TIMEOUT_SECONDS: '10' },
  },
  networkPolicy: {
    egress: [
      { name: 'postgres', port: 5432, cidrs: ['10.1.0.0/16'] },
      { name: 'temporal', port: 7233, namespace: 'temporal' },
      { name: 'mongodb', port: 27017, namespace: 'mongodb' },
      { name: 'kafka', port: 9093, namespace: 'kafka' },
    ],
  },
} as const;

/** A rotation of the orchestrator's Kafka user. */
export const ROTATION: Values = {
  rotation: {
    enabled: true,
    users: {
      'orchestrator-kafka': {
        ...{ kind: 'kafka', path: 'orchestrator/kafka', adminPath: 'admin/kafka', brokers: ['kafka:9093'] },
        ...{ deadlineSeconds: 300, port: 9093, namespace: 'kafka' },
      },
    },
  },
};

/** All services in one release. */
export function umbrella(root: string, profile: 'prod' | 'dev', values: Values = {}): RenderOptions {
  const chart = serviceChart(root, 'neural-hive');
  return {
    ...{ chart, release: 'neural-hive', namespace: 'neural-hive' },
    valueFiles: [join(chart, `values-${profile}.yaml`)],
    values: profile === 'dev' ? values : overlaid(PLACE, values),
  };
}
