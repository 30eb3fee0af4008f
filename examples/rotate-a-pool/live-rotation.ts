import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import pg from 'pg';

export interface Servers {
  readonly address: string;
  readonly caFile: string;
  readonly rootToken: string;
  readonly postgres: { host: string; port: number; database: string; user: string; password: string };
}

export interface Observed {
  readonly exitCode: number | null;
  readonly errors: string;
  /** Different logins that answered a query. */
  readonly logins: number;
  readonly rotations: number;
  /** Logins that PostgreSQL still has after the end. */
  readonly rolesLeft: number;
}

const root = resolve(import.meta.dirname, '../..');

/** The role of a database administrator's evening: logins that live for five seconds and cannot be extended. */
async function configure({ address, caFile, rootToken, postgres }: Servers): Promise<void> {
  await using vault = await VaultClient.open({ address, ca: { file: caFile }, auth: tokenAuth({ token: rootToken }) });
  const { host, port, database, user, password } = postgres;
  await vault.sys.mounts.enable('database', { type: 'database' });
  const write = (path: string, body: Record<string, unknown>) => vault.request({ method: 'POST', path, body });
  await write('database/config/main', {
    plugin_name: 'postgresql-database-plugin',
    allowed_roles: ['reader'],
    connection_url: `postgresql://{{username}}:{{password}}@/${database}?host=${encodeURIComponent(host)}&port=${port}`,
    username: user,
    password,
  });
  await write('database/roles/reader', {
    db_name: 'main',
    default_ttl: 5,
    max_ttl: 5,
    creation_statements: [`CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`],
    revocation_statements: [
      'ALTER ROLE "{{name}}" NOLOGIN',
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usesysid = \'"{{name}}"\'::regrole',
      'DROP ROLE "{{name}}"',
    ],
  });
}

/** Runs the example as its reader would, until it has rotated `rotations` times. */
export async function runExample(servers: Servers, rotations: number): Promise<Observed> {
  await configure(servers);
  const { address, caFile, rootToken, postgres } = servers;
  // The example runs on what is built; when the build fails here, another check says so better.
  spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b', 'libraries/security'], {
    cwd: root,
  });
  const child = spawn(process.execPath, [join(import.meta.dirname, 'rotate-a-pool.mjs')], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      VAULT_ADDR: address,
      VAULT_CACERT: caFile,
      VAULT_TOKEN: rootToken,
      DATABASE_ROLE: 'reader',
      PGHOST: postgres.host,
      PGPORT: String(postgres.port),
      PGDATABASE: postgres.database,
    },
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const logins = new Set<string>();
  let rotated = 0;
  let asked = false;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { login, ok } = JSON.parse(line) as { login?: string; ok?: boolean };
    if (login !== undefined) logins.add(login);
    if (ok === true) rotated += 1;
    // A second one would end it at once.
    if (!asked && rotated >= rotations && logins.size > rotations) asked = child.kill('SIGINT');
  });
  const [exitCode] = (await once(child, 'exit')) as [number | null];
  const observer = new pg.Client(postgres);
  await observer.connect();
  const { rows } = await observer.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM pg_roles WHERE rolname = ANY ($1)',
    [[...logins]],
  );
  await observer.end();
  return { exitCode, errors, logins: logins.size, rotations: rotated, rolesLeft: rows[0]?.count ?? -1 };
}
