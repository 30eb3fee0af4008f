/** A JSON schema, or a part of one. */
export type JsonSchema = Readonly<Record<string, unknown>>;

export const object = (properties: Readonly<Record<string, JsonSchema>>): JsonSchema => ({
  type: 'object',
  additionalProperties: false,
  properties,
});

export const ref = (name: string): JsonSchema => ({ $ref: `#/$defs/${name}` });
export const text: JsonSchema = { type: 'string' };
export const flag: JsonSchema = { type: 'boolean' };
export const oneOf = (...values: readonly (string | number)[]): JsonSchema => ({ enum: values });
export const listOf = (items: JsonSchema): JsonSchema => ({ type: 'array', items });
export const count = (minimum: number, maximum?: number): JsonSchema => ({
  type: 'integer',
  minimum,
  ...(maximum === undefined ? {} : { maximum }),
});
const matching = (pattern: string): JsonSchema => ({ type: 'string', pattern });
const orEmpty = (pattern: string): JsonSchema => matching(`^(${pattern})?$`);

const NAME = '[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?';

export const DEFINITIONS: Readonly<Record<string, JsonSchema>> = {
  name: matching(`^${NAME}$`),
  nameOrEmpty: orEmpty(NAME),
  labels: { type: 'object', additionalProperties: text },
  cidr: matching('^([0-9]{1,3}(\\.[0-9]{1,3}){3}/[0-9]{1,2}|[0-9a-fA-F:]+/[0-9]{1,3})$'),
  quantity: matching('^[0-9]+(\\.[0-9]+)?(m|[kMGTPE]i?)?$'),
  duration: matching('^[0-9]+(ms|s|m|h)$'),
  folder: matching('^/[^/]+(/[^/]+)*$'),
  mount: matching('^[^/\\s]+(/[^/\\s]+)*$'),
  image: object({
    repository: orEmpty('[a-z0-9][a-z0-9._/:-]*'),
    tag: orEmpty('[A-Za-z0-9_][A-Za-z0-9._-]{0,127}'),
    digest: orEmpty('sha256:[0-9a-f]{64}'),
    pullPolicy: oneOf('Always', 'IfNotPresent', 'Never'),
  }),
  resources: object({
    requests: { type: 'object', additionalProperties: ref('quantity') },
    limits: { type: 'object', additionalProperties: ref('quantity') },
  }),
  caller: object({ name: text, namespace: ref('name'), podLabels: ref('labels'), cidrs: listOf(ref('cidr')) }),
  callee: object({
    ...{ name: text, port: count(1, 65_535), namespace: ref('name') },
    ...{ podLabels: ref('labels'), cidrs: listOf(ref('cidr')) },
  }),
};

/** Of the values that every service's chart takes from the library. */
export const COMMON: Readonly<Record<string, JsonSchema>> = {
  global: { type: 'object' },
  // Helm hands a chart its libraries' values too.
  'service-library': { type: 'object' },
  // Read by the umbrella only.
  enabled: flag,
  profile: oneOf('prod', 'dev'),
  namespace: ref('nameOrEmpty'),
  podSecurity: oneOf('restricted', 'privileged'),
  image: ref('image'),
  imagePullSecrets: listOf(object({ name: ref('name') })),
  commonLabels: ref('labels'),
  podLabels: ref('labels'),
  podAnnotations: ref('labels'),
  serviceAnnotations: ref('labels'),
  serviceAccount: object({ annotations: ref('labels') }),
  replicas: count(1),
  autoscaling: object({
    ...{ enabled: flag, minReplicas: count(1), maxReplicas: count(1) },
    ...{ targetCpuPercent: count(1, 100), scaleDownSeconds: count(0, 3_600) },
  }),
  maxUnavailable: count(1),
  resources: ref('resources'),
  nodeSelector: ref('labels'),
  tolerations: listOf({ type: 'object' }),
  priorityClassName: ref('nameOrEmpty'),
  zoneSpread: oneOf('DoNotSchedule', 'ScheduleAnyway'),
  runAsUser: count(1),
  runAsGroup: count(1),
  preStopSleepSeconds: count(1, 300),
  terminationGracePeriodSeconds: count(1, 3_600),
  extraCa: object({ configMap: ref('nameOrEmpty'), key: text }),
  vault: object({
    mode: oneOf('client', 'agent'),
    address: matching('^https://[^/\\s]+$'),
    namespace: orEmpty('[^/\\s]+(/[^/\\s]+)*'),
    authMethod: oneOf('kubernetes', 'jwt'),
    authMount: orEmpty('[^/\\s]+(/[^/\\s]+)*'),
    role: ref('nameOrEmpty'),
    audience: matching('^\\S+$'),
    tokenSeconds: count(600, 86_400),
    ca: object({ kind: oneOf('ConfigMap', 'Secret'), name: ref('nameOrEmpty'), key: text }),
    mounts: object({ kv: ref('mount'), database: ref('mount'), pki: ref('mount') }),
    timeoutSeconds: count(1, 600),
    maxRetries: count(0, 10),
    leaseJournal: flag,
    agent: object({
      secrets: {
        type: 'object',
        propertyNames: { pattern: '^[a-z0-9-]+$' },
        additionalProperties: ref('mount'),
      },
    }),
  }),
  spire: object({
    socket: oneOf('csi', 'hostPath'),
    // A socket below it may have 103 bytes.
    socketFolder: { ...matching('^/[^/]+(/[^/]+)*$'), maxLength: 90 },
    trustDomain: matching('^[a-z0-9._-]+$'),
    issuer: matching('^https://[^/\\s]+$'),
    leewaySeconds: count(0, 120),
    initialSyncSeconds: count(1, 3_600),
    deniedGraceSeconds: count(0, 3_600),
  }),
  tokenCache: object({
    strategy: oneOf('eager', 'lazy', 'disabled'),
    maxEntries: count(1),
    refreshShare: matching('^0\\.[0-9]{1,3}$'),
  }),
  metrics: object({
    serviceMonitor: object({
      ...{ enabled: flag, interval: ref('duration'), scrapeTimeout: ref('duration'), labels: ref('labels') },
    }),
  }),
  networkPolicy: object({
    enabled: flag,
    dns: object({ namespace: ref('name'), podLabels: ref('labels'), nodeLocalCidrs: listOf(ref('cidr')) }),
    prometheus: object({ namespace: ref('name'), podLabels: ref('labels'), nodeCidrs: listOf(ref('cidr')) }),
    vault: object({ namespace: ref('name'), podLabels: ref('labels'), cidrs: listOf(ref('cidr')) }),
    clients: listOf(ref('caller')),
    egress: listOf(ref('callee')),
  }),
  test: object({ command: listOf(text) }),
};
