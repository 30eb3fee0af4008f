import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import {
  installEtcd,
  installFerretDb,
  installKafka,
  installKubernetes,
  installOpenBao,
  installRedis,
  installSpire,
  installTemporal,
  installTemporalSdk,
  withoutInstalling,
} from '@neural-hive/real-stack';
import { messageOf } from '@neural-hive/security/common';
import { EXIT, Failure } from '../../failure.ts';
import { type GivenOpenBao, type GivenRedis, givenOpenBao, givenRedis } from './given-servers.ts';

/** Where the programs of the servers are: files, or the folder where a server has several; or a server that runs. */
export interface RealPrograms {
  readonly openbao: string | GivenOpenBao;
  readonly spire: string;
  readonly redis: string | GivenRedis;
  readonly kubernetes: string;
  readonly etcd: string;
}

/** What the production engine and its transport need besides. */
export interface ProductionPrograms {
  /** The folder with Kafka's jars. */
  readonly kafka: string;
  readonly ferretdb: string;
  readonly temporal: string;
  /** The folder with the packages of Temporal. */
  readonly temporalSdk: string;
  /** Reads Temporal's password, as its server's password command. */
  readonly bao: string;
}

interface Search {
  /** What it is for. */
  readonly serves: string;
  /** A server that the environment names. */
  readonly given?: (env: NodeJS.ProcessEnv) => GivenOpenBao | GivenRedis | undefined;
  /** Names a program, or its folder, that is to be used whatever else is there. */
  readonly variable: string;
  /** What a folder on PATH has to hold, and whether the folder is the answer. Default: PATH is not looked at. */
  readonly onPath?: { readonly programs: readonly string[]; readonly folder: boolean };
  /** The copy of `tools/real-stack`. */
  readonly cached: () => Promise<string>;
  /** Its name there. */
  readonly component: string;
}

const quiet = { log: () => undefined };

const SEARCHES = {
  openbao: {
    serves: 'secrets and leases',
    given: givenOpenBao,
    variable: 'BAO_BINARY',
    onPath: { programs: ['bao'], folder: false },
    cached: () => installOpenBao(quiet),
    component: 'openbao',
  },
  spire: {
    serves: 'workload identity',
    variable: 'SPIRE_BINARIES',
    onPath: { programs: ['spire-server', 'spire-agent', 'oidc-discovery-provider'], folder: true },
    cached: () => installSpire(quiet),
    component: 'spire',
  },
  // It looks on PATH itself, for the right major version.
  redis: {
    serves: 'the store of the registry',
    given: givenRedis,
    variable: 'REDIS_BINARY',
    cached: () => installRedis(quiet),
    component: 'redis',
  },
  // One program that is all of the control plane: nobody else has it.
  kubernetes: {
    serves: 'the login to OpenBao',
    variable: 'KUBERNETES_BINARIES',
    cached: () => installKubernetes(quiet),
    component: 'kubernetes',
  },
  // Not from PATH: distributions have one that is too old for the API server.
  etcd: {
    serves: 'the storage of the Kubernetes API server',
    variable: 'ETCD_BINARY',
    cached: () => installEtcd(quiet),
    component: 'etcd',
  },
} as const satisfies Readonly<Record<keyof RealPrograms, Search>>;

const PRODUCTION_SEARCHES = {
  kafka: {
    serves: 'the transport of tickets',
    variable: 'KAFKA_JARS',
    cached: () => installKafka(quiet),
    component: 'kafka',
  },
  ferretdb: {
    serves: 'the store of plans',
    variable: 'FERRETDB_BINARY',
    onPath: { programs: ['ferretdb'], folder: false },
    cached: () => installFerretDb(quiet),
    component: 'ferretdb',
  },
  temporal: {
    serves: 'durable workflows',
    variable: 'TEMPORAL_BINARIES',
    onPath: { programs: ['temporal-server', 'temporal-sql-tool'], folder: true },
    cached: () => installTemporal(quiet),
    component: 'temporal',
  },
  temporalSdk: {
    serves: 'the orchestrator as a client of Temporal',
    variable: 'TEMPORAL_SDK',
    cached: () => installTemporalSdk(quiet),
    component: 'temporal',
  },
  bao: {
    serves: 'the password of Temporal',
    variable: 'BAO_BINARY',
    onPath: { programs: ['bao'], folder: false },
    cached: () => installOpenBao(quiet),
    component: 'openbao',
  },
} as const satisfies Readonly<Record<keyof ProductionPrograms, Search>>;

/** A server or a program that the environment names, then PATH, then what `tools/real-stack` has installed. */
async function find(
  { given, variable, onPath, cached }: Search,
  env: NodeJS.ProcessEnv,
): Promise<string | GivenOpenBao | GivenRedis> {
  const running = given?.(env);
  if (running !== undefined) return running;
  const named = env[variable];
  if (named !== undefined && named !== '') {
    if (existsSync(named)) return named;
    throw new Error(`${variable} names ${named}, which is not there`);
  }
  if (onPath !== undefined) {
    const folder = (env.PATH ?? '')
      .split(delimiter)
      .find((one) => one !== '' && onPath.programs.every((program) => existsSync(join(one, program))));
    if (folder !== undefined) return onPath.folder ? folder : join(folder, onPath.programs[0] ?? '');
  }
  return withoutInstalling(cached);
}

/**
 * Finds all programs, and installs none.
 * @throws Failure that lists what is missing, with the command that installs it
 */
async function findAll<Name extends string>(
  searches: Readonly<Record<Name, Search>>,
  env: NodeJS.ProcessEnv,
): Promise<Readonly<Record<Name, string | GivenOpenBao | GivenRedis>>> {
  const found: Record<string, string | GivenOpenBao | GivenRedis> = {};
  const missing: { component: string; line: string }[] = [];
  for (const [name, search] of Object.entries<Search>(searches)) {
    try {
      found[name] = await find(search, env);
    } catch (error) {
      const { component, serves } = search;
      missing.push({ component, line: `${component} (${serves}): ${messageOf(error)}` });
    }
  }
  if (missing.length === 0) return found as Record<Name, string | GivenOpenBao | GivenRedis>;
  const components = [...new Set(missing.map(({ component }) => component))].join(' ');
  throw new Failure(
    EXIT.environment,
    `The real profile lacks servers. Install them with: npm run real -- install ${components}`,
    { details: missing.map(({ line }) => line) },
  );
}

/** For everything but the production engine. @throws Failure */
export async function findPrograms(env: NodeJS.ProcessEnv = process.env): Promise<RealPrograms> {
  return (await findAll(SEARCHES, env)) as unknown as RealPrograms;
}

/** For the production engine as well. @throws Failure */
export async function findProductionPrograms(
  env: NodeJS.ProcessEnv = process.env,
): Promise<RealPrograms & ProductionPrograms> {
  const searches = { ...SEARCHES, ...PRODUCTION_SEARCHES };
  return (await findAll(searches, env)) as unknown as RealPrograms & ProductionPrograms;
}
