import { spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Binaries } from './binaries/binaries.ts';
import { fileError, PostgresServerError, programError } from './errors.ts';
import { barrierTo, type RunAs } from './run-as.ts';
import { scramVerifier } from './scram.ts';

export const SUPERUSER = 'postgres';

/** Everybody proves a password over the Unix socket; nothing else is let in. */
const HOST_BASED_AUTHENTICATION = 'local all all scram-sha-256\n';

const spawnAs = (user: RunAs): { uid: number; gid: number } | Record<string, never> =>
  user.switches ? { uid: user.uid, gid: user.gid } : {};

/** The environment of the server's programs: nothing of ours, messages in English so that they can be read. */
export const SERVER_ENVIRONMENT: NodeJS.ProcessEnv = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

async function run(
  user: RunAs,
  program: string,
  args: readonly string[],
  input = '',
): Promise<{ code: number | null; output: string }> {
  const child = spawn(program, args, {
    ...spawnAs(user),
    cwd: '/',
    env: SERVER_ENVIRONMENT,
    // A group of its own, as everywhere: Ctrl-C is for the supervisor.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      const reason = `${program} cannot be started as ${user.name}: ${error.message}`;
      reject(new PostgresServerError('unsupported_system', reason, { cause: error }));
    });
    child.once('close', (code) => resolve({ code, output }));
  });
}

/** Makes a folder with exactly this mode that belongs to the server's user. */
export function makeServerFolder(path: string, mode: number, user: RunAs): void {
  const barrier = barrierTo(path, user);
  if (barrier !== undefined) {
    throw new PostgresServerError(
      'folder_unreachable',
      `${path} cannot be reached by user ${user.name}, as whom PostgreSQL runs, because of ${barrier}: choose another folder or run as an ordinary user`,
    );
  }
  try {
    mkdirSync(path, { recursive: true, mode });
    if (user.switches) chownSync(path, user.uid, user.gid);
    chmodSync(path, mode);
  } catch (error) {
    throw fileError(error, path);
  }
}

/** Makes the cluster in `data` unless it exists; an interrupted attempt leaves nothing that looks whole. */
export async function initCluster(binaries: Binaries, user: RunAs, data: string, durable: boolean): Promise<void> {
  if (existsSync(join(data, 'PG_VERSION'))) return;
  const unfinished = `${data}.new`;
  try {
    rmSync(unfinished, { recursive: true, force: true });
  } catch (error) {
    throw fileError(error, unfinished);
  }
  const { code, output } = await run(user, join(binaries.folder, 'initdb'), [
    ...['-D', unfinished, '-U', SUPERUSER, '--encoding=UTF8', '--locale=C', '--no-instructions'],
    // No server runs before the password is set and this is replaced.
    ...['--auth=reject', ...(durable ? [] : ['--no-sync'])],
  ]);
  if (code !== 0) throw programError('initialisation_failed', 'Making the PostgreSQL cluster (initdb)', output, data);
  try {
    writeFileSync(join(unfinished, 'pg_hba.conf'), HOST_BASED_AUTHENTICATION);
    renameSync(unfinished, data);
  } catch (error) {
    throw fileError(error, data);
  }
}

const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/**
 * Sets the superuser's password and makes the database, without a server that listens. The password changes at every
 * start, so none is kept anywhere; what this writes is only its verifier.
 */
export async function prepareCluster(
  binaries: Binaries,
  user: RunAs,
  data: string,
  options: { password: string; database: string; durable: boolean },
): Promise<void> {
  const statements = [
    `ALTER ROLE ${quoteName(SUPERUSER)} PASSWORD '${scramVerifier(options.password)}'`,
    ...(options.database === 'postgres' ? [] : [`CREATE DATABASE ${quoteName(options.database)}`]),
  ];
  const args = ['--single', '-D', data, '-c', 'log_min_error_statement=panic', '-c', 'log_checkpoints=off'];
  const { code, output } = await run(
    user,
    join(binaries.folder, 'postgres'),
    [...args, ...(options.durable ? [] : ['-F']), 'postgres'],
    `${statements.join('\n')}\n`,
  );
  const problems = output
    .split('\n')
    .filter((line) => /(ERROR|FATAL|PANIC):/.test(line) && !/ERROR:\s+database ".*" already exists/.test(line));
  if (code !== 0 || problems.length > 0) {
    throw programError('start_failed', 'Preparing the PostgreSQL cluster', problems.join('\n') || output, data);
  }
}
