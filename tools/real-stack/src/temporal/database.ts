import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { EmbeddedPostgres } from '@neural-hive/embedded-postgres';
import { Secret } from '@neural-hive/security/common';
import { Client } from 'pg';
import { RealStackError } from '../real-stack-error.ts';
import { DATABASES, socketAttributes } from './configuration.ts';
import { installTemporal } from './install.ts';

export interface TemporalDatabase {
  readonly postgres: EmbeddedPostgres;
  /** The login of the server: it works with the tables, owns nothing and runs no DDL. */
  readonly username: string;
  readonly password: Secret<string>;
}

const USERNAME = 'temporal_server';
const GROUP = 'temporal_rw';

/** Makes Temporal's databases with their tables, and the login that its server uses. */
export async function prepareTemporalDatabase(
  postgres: EmbeddedPostgres,
  options: { readonly binaries?: string } = {},
): Promise<TemporalDatabase> {
  const binaries = options.binaries ?? process.env.TEMPORAL_BINARIES ?? (await installTemporal());
  const password = new Secret(randomBytes(24).toString('hex'));
  await run(postgres, postgres.database, [
    `CREATE DATABASE ${DATABASES.store}`,
    `CREATE DATABASE ${DATABASES.visibility}`,
    `CREATE ROLE ${GROUP} NOLOGIN`,
    `CREATE ROLE ${USERNAME} LOGIN PASSWORD '${password.reveal()}' IN ROLE ${GROUP}`,
  ]);
  for (const [schema, database] of [
    ['temporal', DATABASES.store],
    ['visibility', DATABASES.visibility],
  ] as const) {
    const tool = (...args: string[]): Promise<void> => runSqlTool(binaries, postgres, database, args);
    await tool('setup-schema', '--version', '0.0');
    await tool('update-schema', '--schema-name', `postgresql/v12/${schema}`);
    await run(postgres, database, [
      `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${GROUP}`,
      `GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ${GROUP}`,
    ]);
  }
  return { postgres, username: USERNAME, password };
}

async function run(postgres: EmbeddedPostgres, database: string, statements: readonly string[]): Promise<void> {
  const { socketFolder: host, port, superuser } = postgres;
  const client = new Client({ host, port, database, ...superuser });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

async function runSqlTool(
  binaries: string,
  { socketFolder, port, superuser }: EmbeddedPostgres,
  database: string,
  args: readonly string[],
): Promise<void> {
  const child = spawn(join(binaries, 'temporal-sql-tool'), args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    // By the environment: command lines are visible to everybody.
    env: {
      SQL_PLUGIN: 'postgres12_pgx',
      SQL_HOST: 'localhost',
      SQL_PORT: String(port),
      SQL_USER: superuser.user,
      SQL_PASSWORD: superuser.password,
      SQL_DATABASE: database,
      SQL_CONNECT_ATTRIBUTES: new URLSearchParams(socketAttributes({ socketFolder, port })).toString(),
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = `${output}${chunk}`.slice(-20_000);
    });
  }
  const failed = (reason: string): RealStackError =>
    new RealStackError('start_failed', `Making the tables of Temporal (${args[0]}) failed: ${reason}`);
  await new Promise<void>((resolve, reject) => {
    child.once('error', (error) => reject(failed(error.message)));
    child.once('close', (code) => {
      if (code === 0) return resolve();
      reject(failed(output.split('\n').find((line) => /error/i.test(line)) ?? `exit ${code}`));
    });
  });
}
