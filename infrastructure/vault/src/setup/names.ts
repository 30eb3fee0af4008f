import { SCHEMAS } from '@neural-hive/contracts';

/** The database role, and the policy, with which the announcement users are replaced. */
export const ANNOUNCE_ROTATOR_ROLE = 'announce-rotator';

/** The role, and the policy, with which `hive rotate` replaces the users whose logins are in KV. */
export const USER_ROTATOR_ROLE = 'user-rotator';

/** In KV: the logins with which `hive rotate` makes users, one a server. */
export const USER_ADMIN_PATHS = { kafka: 'admin/kafka', mongodb: 'admin/mongodb' } as const;

/** The name of the database connection in the engine. */
export const POSTGRES_CONNECTION = 'neural-hive';

/** The database connection to the server that keeps what Temporal stores. */
export const TEMPORAL_CONNECTION = 'temporal';

/** Temporal's login there. Its name stays, because a running server cannot change it; its password does not. */
export const TEMPORAL_LOGIN = 'temporal_server';

/** Where Temporal's server runs, and as whom. */
export const TEMPORAL_SERVICE_ACCOUNT = { namespace: 'temporal', name: 'temporal-server' } as const;

/** The login that the database engine itself uses. */
export const VAULT_ADMIN = 'vault_admin';

/** NOLOGIN: makes and drops the announcement users, and so keeps the right to drop those of earlier leases. */
export const ANNOUNCE_ADMIN = 'announce_admin';

/** NOLOGIN: what an announcement user belongs to. It may connect, listen and notify, and read nothing. */
export const ANNOUNCE_GROUP = 'announce';

/** NOLOGIN: workers call the functions of the ticket transport and see no table. */
export const TICKETS_WORKER_GROUP = 'tickets_worker';

/** NOLOGIN: reads the release history. */
export const RELEASES_READER_GROUP = 'releases_ro';

/** Every NOLOGIN role: an owner and a group a schema, and those above. */
export const GROUPS: readonly string[] = [
  ...SCHEMAS.flatMap((schema) => [`${schema}_owner`, `${schema}_rw`]),
  TICKETS_WORKER_GROUP,
  RELEASES_READER_GROUP,
  ANNOUNCE_GROUP,
  ANNOUNCE_ADMIN,
];
