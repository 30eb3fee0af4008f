import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import {
  installEtcd,
  installKubernetes,
  installOpenBao,
  installRedis,
  installSpire,
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

const SEARCHES: Readonly<Record<keyof RealPrograms, Search>> = {
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
};

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
export async function findPrograms(env: NodeJS.ProcessEnv = process.env): Promise<RealPrograms> {
  const found: Record<string, string | GivenOpenBao | GivenRedis> = {};
  const missing: { component: string; line: string }[] = [];
  for (const [name, search] of Object.entries(SEARCHES)) {
    try {
      found[name] = await find(search, env);
    } catch (error) {
      const { component, serves } = search;
      missing.push({ component, line: `${component} (${serves}): ${messageOf(error)}` });
    }
  }
  if (missing.length === 0) return found as unknown as RealPrograms;
  const command = `npm run real -- install ${missing.map(({ component }) => component).join(' ')}`;
  throw new Failure(EXIT.environment, `The real profile lacks servers. Install them with: ${command}`, {
    details: missing.map(({ line }) => line),
  });
}
