import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SCHEMAS } from '@neural-hive/contracts';
import { startPostgres } from '@neural-hive/embedded-postgres';
import pg from 'pg';
import { runMigrations } from '../adapters/postgres/run-migrations.ts';

/** A real server of this test file alone, with the platform's roles and schemas. */
export interface TestDatabase {
  readonly superuser: pg.ClientConfig;
  /** A login of the groups that a leased login of the orchestrator belongs to. */
  readonly orchestrator: pg.ClientConfig;
  readonly worker: pg.ClientConfig;
  readonly query: pg.ClientConfig;
  /** A fresh superuser session; the caller ends it. */
  connect(): Promise<pg.Client>;
  stop(): Promise<void>;
}

export interface TestDatabaseOptions {
  /** False leaves the schemas empty. */
  readonly migrate?: boolean;
  /** Waits for the disk at every commit, as the platform's server does. Default false. */
  readonly durable?: boolean;
}

/** Starts a server of its own for one test file. */
export async function startTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const { migrate = true, durable = false } = options;
  const folder = durable ? mkdtempSync('/tmp/od-') : undefined;
  if (folder !== undefined) chmodSync(folder, 0o711);
  const server = await startPostgres({
    database: 'neural_hive',
    ...(folder !== undefined && { dataFolder: join(folder, 'pg') }),
  });
  const place = { host: server.socketFolder, port: server.port, database: server.database };
  const login = (user: string): pg.ClientConfig => ({ ...place, user, password: PASSWORD });
  const superuser = { ...place, user: server.superuser.user, password: server.superuser.password };
  const database: TestDatabase = {
    superuser,
    orchestrator: login('orchestrator_login'),
    worker: login('worker_login'),
    query: login('query_login'),
    async connect() {
      const client = new pg.Client(superuser);
      client.on('error', () => undefined);
      await client.connect();
      return client;
    },
    async stop() {
      await server.stop('immediate');
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
  const client = await database.connect();
  await client.query(ROLES);
  if (migrate) for (const schema of SCHEMAS) await runMigrations(client, schema);
  await client.end();
  return database;
}

const PASSWORD = 'only for tests';

/** What the platform's supervisor makes before the first migration. */
const ROLES = `
${SCHEMAS.map((schema) => `create role ${schema}_owner nologin; create role ${schema}_rw nologin; create schema ${schema} authorization ${schema}_owner;`).join('\n')}
create role tickets_worker nologin;
create role releases_ro nologin;
create role orchestrator_login login password '${PASSWORD}' in role orchestrator_rw, tickets_rw;
create role worker_login login password '${PASSWORD}' in role tickets_worker;
create role query_login login password '${PASSWORD}' in role releases_ro;
`;
