import {
  DATABASE_ROLES,
  KV_PATHS,
  migratorRole,
  PKI_ROLE,
  SCHEMAS,
  STATIC_DATABASE_ROLES,
  VAULT_MOUNTS,
  type WorkloadName,
} from '@neural-hive/contracts';
import { ANNOUNCE_ROTATOR_ROLE, USER_ADMIN_PATHS, USER_ROTATOR_ROLE } from './names.ts';
import type { Capability, PathRule, Policy } from './setup.ts';

const { database, kv, pki } = VAULT_MOUNTS;

const rule = (path: string, ...capabilities: Capability[]): PathRule => ({ path, capabilities });
const readSecret = (path: string): PathRule[] => [
  rule(`${kv}/data/${path}`, 'read'),
  rule(`${kv}/metadata/${path}`, 'read'),
];
/** The custom fields of an entry, and none of its settings. */
const customMetadata = (path: string, ...capabilities: Capability[]): PathRule => ({
  path: `${kv}/metadata/${path}`,
  capabilities,
  allowedParameters: { custom_metadata: [] },
});
/** A login that is replaced while it is in use: its reader says in the metadata which version it still uses. */
const readReported = (path: string): PathRule[] => [
  rule(`${kv}/data/${path}`, 'read'),
  customMetadata(path, 'read', 'patch'),
];
const leaseLogin = (role: string): PathRule => rule(`${database}/creds/${role}`, 'read');

/** Its own token, and nothing of the default policy's wider rights. */
const OWN_TOKEN: readonly PathRule[] = [
  rule('auth/token/lookup-self', 'read'),
  rule('auth/token/renew-self', 'update'),
  rule('auth/token/revoke-self', 'update'),
];

/** Leases are named in the body, so the body is what is restricted: only leases of these roles. */
function ownLeases(...roles: readonly string[]): PathRule[] {
  const leaseId = roles.map((role) => `${database}/creds/${role}/*`);
  return ['renew', 'revoke', 'lookup'].map((verb) => ({
    path: `sys/leases/${verb}`,
    capabilities: ['update'],
    allowedParameters: { lease_id: leaseId, increment: [], sync: [] },
  }));
}

/**
 * Ends the token of a process that died, and so what it had leased and nobody heard of. Accessors are in the body and
 * cannot be told from one another; a policy that lists them is given to nobody.
 */
const END_LEFT_TOKENS: PathRule = {
  path: 'auth/token/revoke-accessor',
  capabilities: ['update'],
  allowedParameters: { accessor: [] },
};

function loginsOf(...roles: readonly string[]): PathRule[] {
  return [...roles.map(leaseLogin), ...ownLeases(...roles)];
}

const CERTIFICATES: readonly PathRule[] = [
  rule(`${pki}/issue/${PKI_ROLE}`, 'update'),
  rule(`${pki}/sign/${PKI_ROLE}`, 'update'),
];

/** Named after service accounts; a role gives the policy of the same name. */
export const SERVICE_POLICIES: Readonly<Record<WorkloadName, Policy>> = {
  'orchestrator-dynamic': {
    name: 'orchestrator-dynamic',
    rules: [
      ...OWN_TOKEN,
      ...loginsOf(DATABASE_ROLES.orchestrator, DATABASE_ROLES.orchestratorMongodb),
      END_LEFT_TOKENS,
      ...readReported(KV_PATHS.orchestratorMongodb),
      ...readReported(KV_PATHS.orchestratorKafka),
      ...CERTIFICATES,
    ],
  },
  'worker-agents': {
    name: 'worker-agents',
    rules: [
      ...OWN_TOKEN,
      ...loginsOf(DATABASE_ROLES.workerTickets, DATABASE_ROLES.workerQuery),
      END_LEFT_TOKENS,
      ...readReported(KV_PATHS.workerKafka),
      ...readSecret(KV_PATHS.workerExecution),
      ...readSecret(`${KV_PATHS.workerExecution}/*`),
      // It stores sensitive results and can read none, not even its own.
      rule(`${kv}/data/${KV_PATHS.workerResult('*')}`, 'create', 'update'),
      ...CERTIFICATES,
    ],
  },
  'service-registry': {
    name: 'service-registry',
    rules: [...OWN_TOKEN, ...loginsOf(DATABASE_ROLES.registryRedis), END_LEFT_TOKENS, ...CERTIFICATES],
  },
};

/** People and tools: they see what is there and read results; they cannot read a service's credentials. */
export const OPERATOR_POLICY: Policy = {
  name: 'operator',
  rules: [
    ...OWN_TOKEN,
    rule(`${kv}/metadata/*`, 'read', 'list'),
    rule(`${kv}/data/${KV_PATHS.workerResult('*')}`, 'read'),
    rule(`${kv}/data/${KV_PATHS.workerExecution}`, 'create', 'update'),
    rule(`${kv}/data/${KV_PATHS.workerExecution}/*`, 'create', 'update'),
    rule(`${kv}/data/${KV_PATHS.orchestratorMongodb}`, 'create', 'update'),
  ],
};

/** Leases the logins that run migrations, before services start. */
export const MIGRATOR_POLICY: Policy = {
  name: 'schema-migrator',
  rules: [...OWN_TOKEN, ...loginsOf(...SCHEMAS.map(migratorRole))],
};

/** Replaces the KV-held login of the announcements. */
export const ANNOUNCE_ROTATOR_POLICY: Policy = {
  name: ANNOUNCE_ROTATOR_ROLE,
  rules: [
    ...OWN_TOKEN,
    ...loginsOf(ANNOUNCE_ROTATOR_ROLE),
    ...[KV_PATHS.orchestratorKafka, KV_PATHS.workerKafka].flatMap((path) => [
      rule(`${kv}/data/${path}`, 'create', 'read', 'update'),
      rule(`${kv}/metadata/${path}`, 'create', 'read', 'update'),
    ]),
  ],
};

/** Replaces the Kafka and MongoDB users whose logins are in KV. It reads what it replaces: it hands the login over. */
export const USER_ROTATOR_POLICY: Policy = {
  name: USER_ROTATOR_ROLE,
  rules: [
    ...OWN_TOKEN,
    ...Object.values(USER_ADMIN_PATHS).map((path) => rule(`${kv}/data/${path}`, 'read')),
    ...[KV_PATHS.orchestratorMongodb, KV_PATHS.orchestratorKafka, KV_PATHS.workerKafka].flatMap((path) => [
      rule(`${kv}/data/${path}`, 'create', 'read', 'update'),
      customMetadata(path, 'create', 'read', 'update', 'patch'),
    ]),
  ],
};

/** Temporal's server, by its password command: the password of its own login, and nothing else. */
export const TEMPORAL_SERVER_POLICY: Policy = {
  name: STATIC_DATABASE_ROLES.temporalServer,
  rules: [...OWN_TOKEN, rule(`${database}/static-creds/${STATIC_DATABASE_ROLES.temporalServer}`, 'read')],
};

const WRITE: readonly Capability[] = ['create', 'read', 'update'];
const CHANGE_MOUNT: readonly Capability[] = [...WRITE, 'sudo'];

/** Applies this setup. Whoever may write policies can give itself anything: its role lives for minutes and logs in for nothing else. */
export const BOOTSTRAP_POLICY: Policy = {
  name: 'vault-bootstrap',
  rules: [
    ...OWN_TOKEN,
    rule('sys/policies/acl', 'list'),
    rule('sys/policies/acl/*', ...WRITE),
    rule('sys/auth', 'read'),
    rule('sys/auth/*', ...CHANGE_MOUNT),
    rule('sys/mounts', 'read'),
    rule('sys/mounts/*', ...WRITE),
    rule('sys/plugins/catalog', 'read', 'sudo'),
    rule('sys/plugins/catalog/database', 'read', 'list', 'sudo'),
    rule('auth/+/config', ...WRITE),
    rule('auth/+/role/*', ...WRITE),
    rule('auth/+/certs/*', ...WRITE),
    rule(`${database}/config/*`, ...WRITE),
    rule(`${database}/roles/*`, ...WRITE),
    rule(`${database}/static-roles/*`, ...WRITE),
    rule(`${pki}/roles/*`, ...WRITE),
    rule(`${pki}/root/generate/internal`, 'create', 'update', 'sudo'),
    rule(`${pki}/cert/ca`, 'read'),
    // Of a cluster: who is removed from it, and where its requests are written down.
    rule('sys/storage/raft/autopilot/configuration', 'read', 'update'),
    rule('sys/audit', 'read', 'sudo'),
    rule('sys/audit/*', 'create', 'update', 'sudo'),
    // OpenBao asks for a login besides the recovery keys; in Vault the keys alone are enough.
    rule('sys/generate-root-token/*', 'create', 'read', 'update', 'delete', 'sudo'),
  ],
};

export const POLICIES: readonly Policy[] = [
  ...Object.values(SERVICE_POLICIES),
  OPERATOR_POLICY,
  MIGRATOR_POLICY,
  ANNOUNCE_ROTATOR_POLICY,
  USER_ROTATOR_POLICY,
  TEMPORAL_SERVER_POLICY,
  BOOTSTRAP_POLICY,
];
