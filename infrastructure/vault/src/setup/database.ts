import { DATABASE_ROLES, migratorRole, SCHEMAS, STATIC_DATABASE_ROLES, VAULT_MOUNTS } from '@neural-hive/contracts';
import {
  ANNOUNCE_ADMIN,
  ANNOUNCE_ROTATOR_ROLE,
  POSTGRES_CONNECTION,
  RELEASES_READER_GROUP,
  TEMPORAL_CONNECTION,
  TEMPORAL_LOGIN,
  TICKETS_WORKER_GROUP,
} from './names.ts';
import type { SetupParameters } from './parameters.ts';
import type { Entry, Mount } from './setup.ts';

/** Sessions are given this long to end; a role is never dropped below a session that still works. */
const TERMINATION_LIMIT_MS = 5_000;

const SESSIONS_OF_ROLE = `pg_stat_activity WHERE usesysid = (SELECT oid FROM pg_roles WHERE rolname = '{{name}}')`;

/**
 * Ours, because the servers' default leaves open sessions alone and fails on roles that own something. The first
 * COMMIT makes NOLOGIN visible before sessions are ended: servers run all statements in one transaction, and a pool
 * that reconnects at once would get in again. Sessions are found by `usesysid`, since a session may have SET ROLE.
 */
export const REVOCATION_STATEMENTS: readonly string[] = [
  'ALTER ROLE "{{name}}" NOLOGIN',
  'COMMIT',
  'BEGIN',
  `SELECT pg_terminate_backend(pid, ${TERMINATION_LIMIT_MS}) FROM ${SESSIONS_OF_ROLE}`,
  'DROP ROLE IF EXISTS "{{name}}"',
];

const createLogin = (...groups: readonly string[]): string =>
  `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE ${groups.join(', ')}`;

const setting = (name: string, value: string): string => `ALTER ROLE "{{name}}" SET ${name} = ${value}`;

/** Run-time logins: members of a group, owners of nothing. */
const SERVICE_LOGINS: Readonly<Record<string, readonly string[]>> = {
  [DATABASE_ROLES.orchestrator]: [createLogin('orchestrator_rw', 'tickets_rw')],
  [DATABASE_ROLES.workerTickets]: [createLogin(TICKETS_WORKER_GROUP)],
  [DATABASE_ROLES.workerQuery]: [createLogin(RELEASES_READER_GROUP), setting('default_transaction_read_only', 'on')],
};

/**
 * Logins that do one job. They act as a NOLOGIN role from the start of a session: so the owner owns what a migrator
 * makes, and the announcement users of one lease can be dropped by the next.
 */
const JOB_LOGINS: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    SCHEMAS.map((schema) => [
      migratorRole(schema),
      [createLogin(`${schema}_owner`), setting('role', `${schema}_owner`)],
    ]),
  ),
  [ANNOUNCE_ROTATOR_ROLE]: [createLogin(ANNOUNCE_ADMIN), setting('role', ANNOUNCE_ADMIN)],
};

/**
 * What the registry's scripts and connections say, and nothing else: categories such as `@write` hold commands like
 * FLUSHALL that no key pattern confines.
 */
const REGISTRY_REDIS_COMMANDS: readonly string[] = [
  ...['auth', 'hello', 'ping', 'quit', 'time', 'eval', 'evalsha'],
  ...['hget', 'hmget', 'hgetall', 'hset', 'hdel', 'hlen', 'hincrby', 'del'],
  ...['xadd', 'xread', 'xrange', 'subscribe', 'unsubscribe', 'pubsub|numsub'],
];

const REGISTRY_REDIS_RULES = ['~registry:*', '&registry:*', ...REGISTRY_REDIS_COMMANDS.map((name) => `+${name}`)];

interface Product {
  readonly connection: string;
  readonly plugins: readonly string[];
  /** Undefined when the installation has no such server. */
  readonly settings: { readonly username: string; readonly password?: string | undefined } | undefined;
  /** Where the server is and how it is spoken to. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Role name to creation statements. */
  readonly services?: Readonly<Record<string, readonly string[]>>;
  readonly jobs?: Readonly<Record<string, readonly string[]>>;
  readonly revocation?: readonly string[];
  /** Static role name to the login whose password it replaces. */
  readonly statics?: Readonly<Record<string, string>>;
}

function entriesOf(product: Product, { lifetimes }: SetupParameters): Entry[] {
  const { connection, settings, fields, services = {}, jobs = {}, revocation = [], statics = {} } = product;
  if (settings === undefined) return [];
  const name = `database connection ${connection}`;
  const role = (roleName: string, creation: readonly string[], ttl: number, maxTtl: number): Entry => ({
    name: `database role ${roleName}`,
    path: `roles/${roleName}`,
    needs: name,
    fields: {
      db_name: connection,
      creation_statements: creation,
      revocation_statements: revocation,
      default_ttl: ttl,
      max_ttl: maxTtl,
    },
  });
  const { loginSeconds, loginMaxSeconds, jobSeconds } = lifetimes;
  return [
    {
      name,
      path: `config/${connection}`,
      plugins: product.plugins,
      fields: {
        username: settings.username,
        allowed_roles: [...Object.keys(services), ...Object.keys(jobs), ...Object.keys(statics)],
        ...fields,
      },
      ...(settings.password === undefined ? {} : { secretFields: { password: settings.password } }),
    },
    ...Object.entries(services).map(([roleName, creation]) => role(roleName, creation, loginSeconds, loginMaxSeconds)),
    ...Object.entries(jobs).map(([roleName, creation]) => role(roleName, creation, jobSeconds, jobSeconds)),
    ...Object.entries(statics).map(
      ([roleName, username]): Entry => ({
        name: `database static role ${roleName}`,
        path: `static-roles/${roleName}`,
        needs: name,
        fields: { db_name: connection, username, rotation_period: loginMaxSeconds },
      }),
    ),
  ];
}

/** The engine with a connection for each database whose parameters are given. */
export function databaseEngine(parameters: SetupParameters): Mount {
  const products: readonly Product[] = [
    {
      connection: POSTGRES_CONNECTION,
      plugins: ['postgresql-database-plugin'],
      settings: parameters.postgres,
      fields: {
        connection_url: parameters.postgres?.url,
        // The servers send the verifier, so no statement that reaches PostgreSQL holds a password.
        password_authentication: 'scram-sha-256',
      },
      services: SERVICE_LOGINS,
      jobs: JOB_LOGINS,
      revocation: REVOCATION_STATEMENTS,
    },
    {
      connection: 'mongodb',
      plugins: ['mongodb-database-plugin'],
      settings: parameters.mongodb,
      fields: { connection_url: parameters.mongodb?.url },
      services: {
        [DATABASE_ROLES.orchestratorMongodb]: [
          JSON.stringify({ db: 'admin', roles: [{ role: 'readWrite', db: 'neural_hive' }] }),
        ],
      },
    },
    {
      connection: 'redis',
      plugins: ['redis-database-plugin', 'valkey-database-plugin'],
      settings: parameters.redis,
      fields: {
        host: parameters.redis?.host,
        port: parameters.redis?.port,
        tls: true,
        ...(parameters.redis?.ca !== undefined && { ca_cert: parameters.redis.ca }),
      },
      services: { [DATABASE_ROLES.registryRedis]: [JSON.stringify(REGISTRY_REDIS_RULES)] },
    },
    {
      connection: TEMPORAL_CONNECTION,
      plugins: ['postgresql-database-plugin'],
      fields: { connection_url: parameters.temporal?.url, password_authentication: 'scram-sha-256' },
      settings: parameters.temporal,
      statics: { [STATIC_DATABASE_ROLES.temporalServer]: TEMPORAL_LOGIN },
    },
  ];
  const entries = products.flatMap((product) => entriesOf(product, parameters));
  return { path: VAULT_MOUNTS.database, type: 'database', entries };
}
