import { JOURNAL, overlaid, PRODUCTION_ENGINE, type ServiceName, type Values } from './service-charts.ts';

/** Values over those of the production profile that a chart must refuse. */
export interface Refusal {
  readonly chart: ServiceName;
  readonly values: Values;
  readonly namespace?: string;
  /** The value's name and what to do, in what the chart says. */
  readonly says: RegExp;
}

const orchestrator = (values: Values, says: RegExp): Refusal => ({ chart: 'orchestrator-dynamic', values, says });
const worker = (values: Values, says: RegExp): Refusal => ({ chart: 'worker-agents', values, says });
const registry = (values: Values, says: RegExp): Refusal => ({ chart: 'service-registry', values, says });

export const REFUSALS: readonly Refusal[] = [
  {
    chart: 'orchestrator-dynamic',
    values: {},
    namespace: 'default',
    says: /namespace is default: the identity spiffe:\/\/neural-hive\.local\/ns\/neural-hive-orchestration\/sa\/orchestrator-dynamic has another in it; install with --namespace neural-hive-orchestration/,
  },
  orchestrator(
    { spire: { socket: 'hostPath' } },
    /spire\.socket is hostPath with podSecurity=restricted: .*set spire\.socket=csi/,
  ),
  orchestrator(
    { spire: { trustDomain: 'example.org' } },
    /spire\.trustDomain is example\.org: name the one of your SPIRE/,
  ),
  orchestrator({ spire: { trustDomain: 'Neural_Hive' } }, /\/spire\/trustDomain/),
  orchestrator({ settings: { ENVIRONMENT: 'development' } }, /settings\.ENVIRONMENT is development with profile=prod/),
  orchestrator({ settings: { POSTGRES_HOST: '' } }, /settings\.POSTGRES_HOST is empty: the process does not start/),
  orchestrator(
    { settings: { POSTGRES_SSL_MODE: 'disable' } },
    /settings\.POSTGRES_SSL_MODE is disable: .*set verify-full/,
  ),
  orchestrator({ settings: { HTTP_PORT: 'https' } }, /\/settings\/HTTP_PORT/),
  orchestrator({ settings: { HTTP_PORT: 8000 } }, /\/settings\/HTTP_PORT/),
  orchestrator({ settings: { KAFKA_BROKER: 'x' } }, /\/settings.*KAFKA_BROKER.* not allowed/),
  orchestrator({ vault: { address: 'http://vault:8200' } }, /\/vault\/address/),
  orchestrator({ vault: { mode: 'sidecar' } }, /\/vault\/mode/),
  orchestrator({ vault: { tokenSeconds: 60 } }, /\/vault\/tokenSeconds/),
  orchestrator(
    { vault: { mode: 'agent', authMethod: 'jwt' } },
    /vault\.authMethod is jwt with vault\.mode=agent: .*set vault\.authMethod=kubernetes/,
  ),
  worker(
    { vault: { mode: 'agent', agent: { secrets: { kafka: null, execution: null } } } },
    /vault\.agent\.secrets is empty with vault\.mode=agent: .*set vault\.mode=client/,
  ),
  orchestrator(
    { vault: { ca: { name: '' } } },
    /vault\.ca\.name is empty with vault\.address=https:\/\/vault\.vault\.svc\.cluster\.local:8200/,
  ),
  orchestrator({ autoscaling: { minReplicas: 9 } }, /autoscaling\.minReplicas is 9 and autoscaling\.maxReplicas 6/),
  orchestrator({ autoscaling: { minReplicas: 1 } }, /autoscaling\.minReplicas is 1: production needs 2/),
  orchestrator({ autoscaling: { enabled: false }, replicas: 1 }, /replicas is 1: production needs 2/),
  orchestrator({ terminationGracePeriodSeconds: 10 }, /terminationGracePeriodSeconds is 10: .* need 15/),
  orchestrator(
    { networkPolicy: { egress: [] } },
    /networkPolicy\.egress has nothing with port 5432: say where settings\.POSTGRES_HOST is/,
  ),
  orchestrator(
    { networkPolicy: { clients: [{ name: 'nobody' }] } },
    /networkPolicy\.clients\[0\] has neither namespace nor cidrs: say where nobody is/,
  ),
  orchestrator(
    { settings: { ORCHESTRATOR_ENGINE: 'temporal' } },
    /settings\.TEMPORAL_HOST is empty: .*\n.*MONGODB_URI is empty: .*\n.*KAFKA_BOOTSTRAP_SERVERS is empty/,
  ),
  orchestrator(
    { settings: { TICKET_TRANSPORT: 'kafka' } },
    /settings\.TICKET_TRANSPORT is kafka with settings\.ORCHESTRATOR_ENGINE=postgres: set it to postgres/,
  ),
  orchestrator(
    { settings: { ...PRODUCTION_ENGINE.settings, KAFKA_BOOTSTRAP_SERVERS: 'kafka:9094' } },
    /nothing with port 7233: say where settings\.TEMPORAL_HOST is.*\n.*port 9094: say where settings\.KAFKA_BOOTSTRAP_SERVERS is.*\n.*port 27017: say where settings\.MONGODB_URI is/,
  ),
  orchestrator({ settings: { MONGODB_URI: 'mongodb://user:x@db' } }, /\/settings\/MONGODB_URI/),
  orchestrator({ settings: { ORCHESTRATOR_ENGINE: 'other' } }, /\/settings\/ORCHESTRATOR_ENGINE/),
  orchestrator({ rotation: { enabled: true } }, /rotation\.users is empty with rotation\.enabled=true/),
  orchestrator(
    {
      rotation: {
        enabled: true,
        users: { k: { kind: 'kafka', path: 'a', adminPath: 'b', deadlineSeconds: 3600, port: 1, namespace: 'kafka' } },
      },
    },
    /rotation\.users\.k\.brokers is empty: name a broker/,
  ),
  orchestrator(
    {
      rotation: {
        enabled: true,
        users: {
          k: { kind: 'mongodb', path: 'a', adminPath: 'b', deadlineSeconds: 3600, port: 1, namespace: 'mongodb' },
        },
      },
    },
    /rotation\.users\.k\.deadlineSeconds is 3600 and rotation\.activeDeadlineSeconds 1800/,
  ),
  worker(
    { persistence: { enabled: false } },
    /persistence gives each of up to 10 workers a folder of its own: .*set persistence\.enabled=true with accessMode=ReadWriteMany/,
  ),
  worker(
    { settings: { SUPPORTED_TASK_TYPES: 'BUILD,DEPLOY' } },
    /settings\.SUPPORTED_TASK_TYPES has DEPLOY for up to 10 workers: .*give DEPLOY to a release with one worker/,
  ),
  worker({ settings: { SUPPORTED_TASK_TYPES: 'build' } }, /\/settings\/SUPPORTED_TASK_TYPES/),
  worker({ settings: { MAX_CONCURRENT_BY_TYPE: 'BUILD' } }, /\/settings\/MAX_CONCURRENT_BY_TYPE/),
  worker(
    { resources: { requests: { cpu: null } } },
    /resources\.requests\.cpu is empty with autoscaling\.enabled=true/,
  ),
  worker({ settings: { TICKET_TRANSPORT: 'kafka' } }, /settings\.KAFKA_BOOTSTRAP_SERVERS is empty: the process does/),
  worker(
    { settings: { TICKET_TRANSPORT: 'kafka', KAFKA_BOOTSTRAP_SERVERS: 'kafka:9094' } },
    /networkPolicy\.egress has nothing with port 9094: say where settings\.KAFKA_BOOTSTRAP_SERVERS is/,
  ),
  worker({ settings: { EXECUTION_TICKET_SERVICE_URL: 'http://orchestrator' } }, /\/settings\/EXECUTION_TICKET/),
  worker({ settings: { OPA_POLICIES: 'deploy/allow' } }, /settings\.OPA_URL is empty with OPA_POLICIES.*set it to/),
  worker({ settings: { OPA_URL: 'https://opa.test' } }, /settings\.OPA_POLICIES is empty .*name the decisions/),
  worker(
    { settings: { OPA_URL: 'https://opa.test', OPA_POLICIES: 'deploy/allow' } },
    /networkPolicy\.egress has nothing with port 443: say where settings\.OPA_URL is/,
  ),
  worker(
    { settings: { QUERY_MONGODB_URI: 'mongodb://db:27018/shop' } },
    /networkPolicy\.egress has nothing with port 27018: say where settings\.QUERY_MONGODB_URI is/,
  ),
  worker({ settings: { QUERY_MONGODB_URI: 'mongodb://user:x@db/shop' } }, /\/settings\/QUERY_MONGODB_URI/),
  worker(
    { kubernetes: { targets: { configMap: 'targets' } } },
    /networkPolicy\.egress has nothing with port 443: say where settings\.KUBERNETES_API_URL is/,
  ),
  worker(
    { kubernetes: { rights: [{ namespace: 'shop', jobs: true }] } },
    /kubernetes\.rights is set and kubernetes\.targets\.configMap empty: .*name the list of targets/,
  ),
  worker({ settings: { OPA_URL: 'http://opa.test:8181' } }, /\/settings\/OPA_URL/),
  worker({ settings: { OPA_POLICIES: 'deploy allow' } }, /\/settings\/OPA_POLICIES/),
  registry({ settings: { REDIS_HOST: '' } }, /settings\.REDIS_HOST is empty: the process does not start without it/),
  registry(
    { networkPolicy: { egress: [] } },
    /networkPolicy\.egress has nothing with port 6379: say where settings\.REDIS_HOST is/,
  ),
  registry(
    { settings: { REGISTRY_JOURNAL_FILE: '/var/lib/neural-hive/journal' } },
    /settings\.REGISTRY_JOURNAL_FILE is set with settings\.REGISTRY_STORE=redis: .*leave it empty/,
  ),
  registry(
    overlaid(JOURNAL, { replicas: 2 }),
    /replicas is 2: with settings\.REGISTRY_STORE=memory agents are known to one process; set it to 1/,
  ),
  registry(
    overlaid(JOURNAL, { autoscaling: { enabled: true, maxReplicas: 3 } }),
    /autoscaling\.maxReplicas is 3: with settings\.REGISTRY_STORE=memory/,
  ),
  registry(
    overlaid(JOURNAL, { settings: { REGISTRY_JOURNAL_FILE: '' } }),
    /settings\.REGISTRY_JOURNAL_FILE is empty with settings\.REGISTRY_STORE=memory: agents would be forgotten/,
  ),
  registry(
    overlaid(JOURNAL, { persistence: { enabled: false } }),
    /persistence\.enabled is false .*the journal would go/,
  ),
];

/** What the umbrella refuses, which none of its charts can see alone. */
export const UMBRELLA_REFUSALS: readonly (readonly [Values, RegExp])[] = [
  [
    { namespaces: { podSecurity: 'privileged' } },
    /podSecurity is restricted with namespaces\.podSecurity=privileged: set both to what its namespace/,
  ],
  [
    { 'orchestrator-dynamic': PRODUCTION_ENGINE },
    /worker-agents\.settings\.TICKET_TRANSPORT is postgres with orchestrator-dynamic\.settings\.ORCHESTRATOR_ENGINE=temporal: .*set it to kafka/,
  ],
];
