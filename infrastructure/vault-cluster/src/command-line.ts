import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { messageOf, Secret } from '@neural-hive/security/common';
import { AuditShipper } from './audit/shipper.ts';
import { objectStore, secretsManager } from './aws/clients.ts';
import { ClusterError } from './cluster-error.ts';
import { secretsManagerStore } from './init/key-store.ts';
import { storeInSecret } from './init/kubernetes-secret.ts';
import { runInit } from './init/run-init.ts';
import { open, seal } from './init/sealed-box.ts';
import { tlsReloader } from './process/reload-tls.ts';
import { hangUp } from './process/signal.ts';
import { readSettings } from './settings.ts';
import { runBootstrap } from './setup/run-bootstrap.ts';
import { runSnapshot } from './snapshot/run-snapshot.ts';

const USAGE = `usage: vault-cluster <program> [options]

init           initialises a new cluster, stores its keys, sets it up, revokes the root token
               --settings FILE [--parameters FILE] [--root-token-file FILE]
bootstrap      applies the setup, logged in by the kubernetes method
               --settings FILE --token-file FILE [--parameters FILE]
snapshot       takes a snapshot, verifies it, and stores it
               --settings FILE --token-file FILE --scratch FOLDER
ship-audit     rotates an audit log and carries it to a bucket, until it is ended
               --file FILE --process NAME --bucket NAME --prefix PREFIX --rotate-seconds N --rotate-bytes N
reload-tls     tells the server of a renewed certificate, until it is ended
               --folder FOLDER --process NAME --interval-seconds N
open-fallback  prints what init kept sealed: reads it from standard input
               --private-key FILE

Region and identity at AWS come from the environment. Exit codes: 0 done, 1 refused or failed, 2 wrong arguments.`;

class UsageError extends Error {}

const OPTIONS = [
  'settings',
  'parameters',
  'root-token-file',
  'token-file',
  'scratch',
  'file',
  'process',
  'bucket',
  'prefix',
  'rotate-seconds',
  'rotate-bytes',
  'folder',
  'interval-seconds',
  'private-key',
] as const;

type Option = (typeof OPTIONS)[number];
type Given = Readonly<Partial<Record<Option, string>>>;

/** Where a program says what it does, and what it reads. */
export interface Surroundings {
  readonly log: (line: string) => void;
  readonly error: (line: string) => void;
  /** All of standard input. */
  readonly readInput: () => string;
}

function required(given: Given, option: Option): string {
  const value = given[option];
  if (value === undefined || value === '') throw new UsageError(`--${option} is missing\n${USAGE}`);
  return value;
}

function requiredNumber(given: Given, option: Option): number {
  const value = Number(required(given, option));
  if (!Number.isSafeInteger(value) || value <= 0) throw new UsageError(`--${option} has to be a whole number above 0`);
  return value;
}

const settingsOf = (given: Given) => readSettings(required(given, 'settings'), given.parameters);

async function init(given: Given, { log }: Surroundings): Promise<void> {
  const settings = settingsOf(given);
  const { init: wanted } = settings;
  if (wanted === undefined) throw new UsageError('--settings: the file has no part "init"');
  const { fallback } = wanted;
  const tokenFile = given['root-token-file'];
  await runInit(
    { ...settings, init: wanted },
    {
      store: secretsManagerStore(secretsManager(), wanted.secrets),
      fallback: fallback && ((value) => storeInSecret(seal(value, fallback.publicKey), fallback)),
      log,
      rootToken: tokenFile === undefined ? undefined : new Secret(readFileSync(tokenFile, 'utf8').trim()),
    },
  );
}

async function bootstrap(given: Given, { log }: Surroundings): Promise<void> {
  await runBootstrap(settingsOf(given), { tokenFile: required(given, 'token-file'), log });
}

async function snapshot(given: Given, { log }: Surroundings): Promise<void> {
  const { cluster, snapshot: wanted } = settingsOf(given);
  if (wanted === undefined) throw new UsageError('--settings: the file has no part "snapshot"');
  const tokenFile = required(given, 'token-file');
  await runSnapshot(
    { cluster, snapshot: wanted },
    { store: objectStore(), tokenFile, scratch: required(given, 'scratch'), log },
  );
}

async function shipAudit(given: Given, { log }: Surroundings): Promise<void> {
  const name = required(given, 'process');
  const options = {
    file: required(given, 'file'),
    store: objectStore(),
    bucket: required(given, 'bucket'),
    prefix: required(given, 'prefix'),
    rotateMs: requiredNumber(given, 'rotate-seconds') * 1_000,
    rotateBytes: requiredNumber(given, 'rotate-bytes'),
    hangUp: () => hangUp(name),
    log,
  };
  const shipper = new AuditShipper(options, Date.now());
  await untilEnded(5_000, () => shipper.tick(Date.now()));
}

async function reloadTls(given: Given, { log }: Surroundings): Promise<void> {
  const name = required(given, 'process');
  const intervalMs = requiredNumber(given, 'interval-seconds') * 1_000;
  const reloader = tlsReloader({ folder: required(given, 'folder'), hangUp: () => hangUp(name), log });
  await untilEnded(intervalMs, async () => {
    reloader.check();
  });
}

/** Works at an interval until the process is told to end; work that has begun is finished. */
async function untilEnded(intervalMs: number, work: () => Promise<void>): Promise<void> {
  const ending = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => ending.abort());
  while (!ending.signal.aborted) {
    await work();
    await delay(intervalMs, undefined, { signal: ending.signal }).catch(() => {});
  }
}

async function openFallback(given: Given, { log, readInput }: Surroundings): Promise<void> {
  const privateKey = readFileSync(required(given, 'private-key'), 'utf8');
  log(JSON.stringify(open(JSON.parse(readInput()), privateKey), null, 2));
}

const PROGRAMS: Readonly<Record<string, (given: Given, around: Surroundings) => Promise<void>>> = {
  init,
  bootstrap,
  snapshot,
  'ship-audit': shipAudit,
  'reload-tls': reloadTls,
  'open-fallback': openFallback,
};

function parseArguments(args: readonly string[]): { help: boolean; program: string | undefined; given: Given } {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', default: false },
        ...Object.fromEntries(OPTIONS.map((name) => [name, { type: 'string' as const }])),
      },
    });
    const { help, ...given } = values as { help: boolean } & Given;
    if (positionals.length > 1) throw new UsageError(`one program at a time: ${positionals.join(' ')}`);
    return { help, program: positionals[0], given };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${messageOf(error)}\n${USAGE}`, { cause: error });
  }
}

/** Runs one program; returns the exit code. */
export async function runCommandLine(args: readonly string[], around: Surroundings): Promise<number> {
  try {
    const { help, program, given } = parseArguments(args);
    if (help) {
      around.log(USAGE);
      return 0;
    }
    const run = program === undefined ? undefined : PROGRAMS[program];
    if (run === undefined) throw new UsageError(`there is no program "${program ?? ''}"\n${USAGE}`);
    await run(given, around);
    return 0;
  } catch (error) {
    around.error(messageOf(error));
    const invalid = error instanceof ClusterError && error.code === 'settings_invalid';
    const wrong = invalid || error instanceof UsageError || error instanceof TypeError || error instanceof RangeError;
    return wrong ? 2 : 1;
  }
}
