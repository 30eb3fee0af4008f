import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SCHEMAS } from '@neural-hive/contracts';
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

const UNPRIVILEGED = 65_534;

/** Starts a server on a private socket; `migrate: false` leaves the schemas empty. */
export async function startTestDatabase({ migrate = true }: { migrate?: boolean } = {}): Promise<TestDatabase> {
  const folder = mkdtempSync(join(tmpdir(), 'od-pg-'));
  const asOther = process.getuid?.() === 0 ? { uid: UNPRIVILEGED, gid: UNPRIVILEGED } : {};
  if ('uid' in asOther) chownSync(folder, UNPRIVILEGED, UNPRIVILEGED);
  const data = join(folder, 'data');
  const made = spawnSync('initdb', ['-D', data, '-U', 'root', '-A', 'trust', '-E', 'UTF8', '--no-sync'], {
    ...asOther,
    encoding: 'utf8',
  });
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  const server = spawn('postgres', ['-D', data, '-k', folder, '-h', '', '-F', '-c', 'max_connections=60'], {
    ...asOther,
    stdio: 'ignore',
  });
  const superuser = { host: folder, user: 'root', database: 'neural_hive' };
  const first = await connectEventually({ ...superuser, database: 'postgres' });
  await first.query('create database neural_hive');
  await first.end();
  const database: TestDatabase = {
    superuser,
    orchestrator: { ...superuser, user: 'orchestrator_login' },
    worker: { ...superuser, user: 'worker_login' },
    query: { ...superuser, user: 'query_login' },
    connect: () => connectEventually(superuser),
    stop: () => stopServer(server, folder),
  };
  const client = await database.connect();
  await client.query(ROLES);
  if (migrate) for (const schema of SCHEMAS) await runMigrations(client, schema);
  await client.end();
  return database;
}

/** What the platform's supervisor makes before the first migration. */
const ROLES = `
${SCHEMAS.map((schema) => `create role ${schema}_owner nologin; create role ${schema}_rw nologin; create schema ${schema} authorization ${schema}_owner;`).join('\n')}
create role tickets_worker nologin;
create role releases_ro nologin;
create role orchestrator_login login in role orchestrator_rw, tickets_rw;
create role worker_login login in role tickets_worker;
create role query_login login in role releases_ro;
`;

async function connectEventually(config: pg.ClientConfig): Promise<pg.Client> {
  for (let attempt = 0; ; attempt += 1) {
    const client = new pg.Client(config);
    client.on('error', () => undefined);
    try {
      await client.connect();
      return client;
    } catch (error) {
      if (attempt === 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function stopServer(server: ChildProcess, folder: string): Promise<void> {
  const ended = once(server, 'exit');
  server.kill('SIGQUIT');
  await ended;
  rmSync(folder, { recursive: true, force: true });
}
