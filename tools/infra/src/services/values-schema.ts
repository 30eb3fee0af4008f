import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import {
  COMMON,
  count,
  DEFINITIONS,
  flag,
  type JsonSchema,
  listOf,
  object,
  oneOf,
  ref,
  text,
} from './common-schema.ts';
import { SERVICE_NAMES, type ServiceName, serviceChart } from './service-charts.ts';

const WRITTEN = 'Written by node tools/infra/dist/services/write-schemas.js';

const PERSISTENCE = object({
  ...{ enabled: flag, existingClaim: ref('nameOrEmpty'), storageClass: ref('nameOrEmpty'), size: ref('quantity') },
  accessMode: oneOf('ReadWriteOnce', 'ReadWriteOncePod', 'ReadWriteMany'),
});

const ROTATED_USER = {
  ...object({
    ...{ kind: oneOf('kafka', 'mongodb'), path: ref('mount'), adminPath: ref('mount') },
    brokers: listOf({ type: 'string', pattern: '^.+:[0-9]+$' }),
    // Without a login: that is in Vault.
    uri: { type: 'string', pattern: '^mongodb(\\+srv)?://[^@]+$' },
    ...{ deadlineSeconds: count(0, 86_400), consumers: listOf(text) },
    ...{ port: count(1, 65_535), namespace: ref('name'), podLabels: ref('labels'), cidrs: listOf(ref('cidr')) },
  }),
  required: ['kind', 'path', 'adminPath', 'deadlineSeconds', 'port'],
  anyOf: [{ required: ['namespace'] }, { required: ['cidrs'] }],
};

/** A ConfigMap with certificates that a peer is verified by. */
const authority = object({ configMap: ref('nameOrEmpty'), key: text });

const OWN: Readonly<Record<ServiceName, Readonly<Record<string, JsonSchema>>>> = {
  'orchestrator-dynamic': {
    ...{ temporal: object({ ca: authority }), kafka: object({ ca: authority }) },
    migration: object({
      ...{ enabled: flag, role: ref('name'), command: listOf(text), activeDeadlineSeconds: count(60) },
      resources: ref('resources'),
    }),
    rotation: object({
      ...{ enabled: flag, image: ref('image'), role: ref('name') },
      schedule: { type: 'string', pattern: '^\\S+( \\S+){4}$' },
      ...{ startingDeadlineSeconds: count(10), activeDeadlineSeconds: count(60) },
      ...{ successfulJobsHistoryLimit: count(0), failedJobsHistoryLimit: count(0), resources: ref('resources') },
      users: { type: 'object', propertyNames: { pattern: '^[a-z0-9-]{1,40}$' }, additionalProperties: ROTATED_USER },
    }),
  },
  'worker-agents': {
    persistence: PERSISTENCE,
    projects: object({ folder: ref('folder') }),
    programs: object({ configMap: ref('nameOrEmpty'), key: text }),
    kafka: object({ ca: authority }),
    opa: object({ ca: authority, token: object({ secret: ref('nameOrEmpty'), key: text }) }),
    kubernetes: object({
      targets: object({ configMap: ref('nameOrEmpty'), key: text }),
      rights: listOf({
        ...object({ namespace: ref('name'), deployments: listOf(ref('name')), jobs: flag }),
        required: ['namespace'],
      }),
    }),
  },
  'service-registry': {
    persistence: PERSISTENCE,
    redis: object({ ca: authority }),
  },
};

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
const ENVIRONMENTS = ['development', 'dev', 'local', 'test', 'staging', 'production'];

/** By the names of variables; the first that fits. Numbers are text too: that is what an environment holds. */
const SETTINGS: readonly (readonly [RegExp, JsonSchema])[] = [
  [/^ENVIRONMENT$/, oneOf(...ENVIRONMENTS)],
  [/^LOG_LEVEL$/, oneOf(...LOG_LEVELS)],
  [/_STORE$/, oneOf('memory', 'redis')],
  [/_SSL_MODE$/, oneOf('disable', 'verify-full')],
  [/_BY_TYPE$/, { type: 'string', pattern: '^([A-Z]+=[1-9][0-9]{0,3}(,[A-Z]+=[1-9][0-9]{0,3})*)?$' }],
  [
    /^OPA_URL$/,
    { type: 'string', pattern: '^(https://[^/?#@]+[^?#]*|http://(127\\.0\\.0\\.1|localhost)(:[0-9]+)?[^?#]*)?$' },
  ],
  [/^ORCHESTRATOR_ENGINE$/, oneOf('postgres', 'temporal')],
  [/^TICKET_TRANSPORT$/, oneOf('', 'postgres', 'kafka')],
  [/^MONGODB_CREDENTIALS$/, oneOf('', 'kv', 'database')],
  [/MONGODB_URI$/, { type: 'string', pattern: '^(mongodb(\\+srv)?://[^@]+)?$' }],
  [/^KAFKA_BOOTSTRAP_SERVERS$/, { type: 'string', pattern: '^([^\\s,]+:[0-9]{1,5}(,[^\\s,]+:[0-9]{1,5})*)?$' }],
  [/^(KUBERNETES_API|EXECUTION_TICKET_SERVICE)_URL$/, { type: 'string', pattern: '^(https://[^@]+)?$' }],
  [/_SPIFFE_ID$/, { type: 'string', pattern: '^(spiffe://[^,\\s]+)?$' }],
  [/_POLICIES$/, { type: 'string', pattern: '^([A-Za-z0-9_]+(/[A-Za-z0-9_]+)*(,[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*)*)?$' }],
  [/_TYPES$/, { type: 'string', pattern: '^[A-Z]+(,[A-Z]+)*$' }],
  [/^API_\w+ERS$/, { type: 'string', pattern: '^(spiffe://[^,\\s]+(,spiffe://[^,\\s]+)*)?$' }],
  [/_BY_SUBMITTER$/, oneOf('true', 'false')],
  [/_PORT$/, { type: 'string', pattern: '^[1-9][0-9]{0,4}$' }],
  [/_SECONDS$/, { type: 'string', pattern: '^([0-9]+(\\.[0-9]+)?)?$' }],
  [/_(MS|SIZE|BYTES|CONCURRENCY|RETRIES)$|^MAX_/, { type: 'string', pattern: '^[0-9]*$' }],
  [/./, text],
];

function settingSchema(name: string): JsonSchema {
  return SETTINGS.find(([pattern]) => pattern.test(name))?.[1] ?? text;
}

/** The names below `settings` in the chart's own values. */
export function settingNames(chart: string): string[] {
  const file = join(chart, 'values.yaml');
  const values: unknown = existsSync(file) ? parse(readFileSync(file, 'utf8')) : undefined;
  const settings = typeof values === 'object' && values !== null && 'settings' in values ? values.settings : {};
  return Object.keys(settings as Record<string, unknown>);
}

/** `values.schema.json` of the umbrella: what a service may have is in the schema of its own chart. */
export function umbrellaSchema(): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $comment: WRITTEN,
    title: 'Values of the neural-hive chart',
    ...object({
      global: { type: 'object' },
      namespaces: object({ create: flag, podSecurity: oneOf('restricted', 'privileged') }),
      ...Object.fromEntries(SERVICE_NAMES.map((name) => [name, { type: 'object' }])),
    }),
  };
}

/** `values.schema.json` of a service's chart. */
export function valuesSchema(name: ServiceName, chart: string): JsonSchema {
  const settings = Object.fromEntries(settingNames(chart).map((setting) => [setting, settingSchema(setting)]));
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $comment: WRITTEN,
    title: `Values of the ${name} chart`,
    ...object({ ...COMMON, ...OWN[name], settings: object(settings) }),
    $defs: DEFINITIONS,
  };
}

/** Every schema that is written, by the name of its chart. */
export function schemas(root: string): Readonly<Record<string, JsonSchema>> {
  const services = SERVICE_NAMES.map((name) => [name, valuesSchema(name, serviceChart(root, name))] as const);
  return { ...Object.fromEntries(services), 'neural-hive': umbrellaSchema() };
}
