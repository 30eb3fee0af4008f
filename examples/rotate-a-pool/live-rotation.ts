import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { makeReaderRole, type Servers } from './reader-role.mjs';

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

/** Runs the example as its reader would, until it has rotated `rotations` times. */
export async function runExample(servers: Servers, rotations: number): Promise<Observed> {
  await makeReaderRole(servers, 5);
  const { address, caFile, rootToken, postgres } = servers;
  // The example runs on what is built; when the build fails here, another check says so better.
  spawnSync(process.execPath, [join(root, 'tools/build.mjs'), 'libraries/security'], { cwd: root });
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
