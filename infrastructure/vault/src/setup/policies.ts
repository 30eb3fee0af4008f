import {
  DATABASE_ROLES,
  KV_PATHS,
  migratorRole,
  PKI_ROLE,
  SCHEMAS,
  VAULT_MOUNTS,
  type WorkloadName,
} from '@neural-hive/contracts';
import { ANNOUNCE_ROTATOR_ROLE } from './names.ts';
import type { Capability, PathRule, Policy } from './setup.ts';

const { database, kv, pki } = VAULT_MOUNTS;

const rule = (path: string, ...capabilities: Capability[]): PathRule => ({ path, capabilities });
const readSecret = (path: string): PathRule[] => [
  rule(`${kv}/data/${path}`, 'read'),
  rule(`${kv}/metadata/${path}`, 'read'),
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
      ...readSecret(KV_PATHS.orchestratorMongodb),
      ...readSecret(KV_PATHS.orchestratorKafka),
      ...CERTIFICATES,
    ],
  },
  'worker-agents': {
    name: 'worker-agents',
    rules: [
      ...OWN_TOKEN,
      ...loginsOf(DATABASE_ROLES.workerTickets, DATABASE_ROLES.workerQuery),
      ...readSecret(KV_PATHS.workerKafka),
      ...readSecret(KV_PATHS.workerExecution),
      ...readSecret(`${KV_PATHS.workerExecution}/*`),
      // It stores sensitive results and can read none, not even its own.
      rule(`${kv}/data/${KV_PATHS.workerResult('*')}`, 'create', 'update'),
      ...CERTIFICATES,
    ],
  },
  'service-registry': {
    name: 'service-registry',
    rules: [...OWN_TOKEN, ...loginsOf(DATABASE_ROLES.registryRedis), ...CERTIFICATES],
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
  BOOTSTRAP_POLICY,
];
