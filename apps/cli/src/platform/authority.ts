import { chmodSync, chownSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SPIFFE_IDS, SPIFFE_ISSUER, TRUST_DOMAIN } from '@neural-hive/contracts';
import { Secret } from '@neural-hive/security/common';
import { type ChildSpec, SupervisedProcess } from './child-process.ts';
import { type Home, makeFolder } from './home.ts';
import type { Programs } from './staging.ts';
import type { ServiceUsers } from './users.ts';

export interface Authority {
  readonly process: SupervisedProcess;
  readonly address: string;
  /** The root token: kept by the supervisor alone, to apply the set-up and to clear up. */
  readonly rootToken: Secret<string>;
  readonly auditFile: string;
  readonly controlSocket: string;
}

/** Life of a workload's X509-SVID and JWT-SVID, in seconds. Short, so that a run shows due rotations. */
const X509_TTL_SECONDS = 90;
const JWT_TTL_SECONDS = 60;

export interface AuthorityOptions {
  readonly home: Home;
  readonly users: ServiceUsers;
  readonly programs: Programs;
  readonly port: number;
  /** Carried by every process of the platform, so that what is left of it can be found. */
  readonly marker: Readonly<Record<string, string>>;
  readonly onRestart: (name: string, why: string) => void;
}

/** The workloads that have a Workload API socket, with the uid that may connect to it. */
function workloadsOf(users: ServiceUsers): { name: string; spiffeId: string; uid: number }[] {
  return [
    { name: 'orchestrator-dynamic', spiffeId: SPIFFE_IDS.orchestrator, uid: users.orchestrator },
    { name: 'worker-agents', spiffeId: SPIFFE_IDS.worker, uid: users.worker },
    { name: 'service-registry', spiffeId: SPIFFE_IDS.registry, uid: users.registry },
    { name: 'operator', spiffeId: SPIFFE_IDS.operator, uid: process.getuid?.() ?? 0 },
  ];
}

export function workloadSocket(home: Home, workload: string): string {
  return join(home.identity(workload), 'agent.sock');
}

/** Starts the dev authority under its own uid: the Vault API and one SPIFFE socket for each workload. */
export async function startAuthority(options: AuthorityOptions): Promise<Authority> {
  const { home, users, programs, port } = options;
  const own = users.separated ? users.authority : undefined;
  const control = join(home.run, 'control');
  makeFolder(control, { mode: 0o700, ...(own === undefined ? {} : { uid: own }) });
  const controlSocket = join(control, 'control.sock');
  const config = {
    stateFolder: home.authority,
    port,
    controlSocket,
    trustDomain: TRUST_DOMAIN,
    issuer: SPIFFE_ISSUER,
    x509TtlSeconds: X509_TTL_SECONDS,
    jwtTtlSeconds: JWT_TTL_SECONDS,
    workloads: workloadsOf(users).map(({ name, spiffeId }) => ({
      socketPath: workloadSocket(home, name),
      spiffeId,
      // As root the folder's setgid bit gives the socket the workload's group; nobody else gets through the folder.
      mode: users.separated ? 0o660 : 0o600,
    })),
  };
  const configFile = home.authorityConfig;
  writeFileSync(configFile, JSON.stringify(config), { mode: 0o600 });
  if (own !== undefined) chownSync(configFile, own, own);
  const spec: ChildSpec = {
    name: 'dev-authority',
    program: join(programs.root, 'libraries/dev-authority/dist/main.js'),
    args: [configFile],
    // It refuses to run in production, and is told when somebody tries.
    env: { ...options.marker, ...(process.env.NODE_ENV === undefined ? {} : { NODE_ENV: process.env.NODE_ENV }) },
    cwd: home.authority,
    node: programs.node,
    logFile: join(home.logs, 'dev-authority.log'),
    ...(own === undefined ? {} : { uid: own }),
  };
  const supervised = await SupervisedProcess.start(spec, options.onRestart);
  copyFileSync(join(home.authority, 'ca.pem'), home.caFile);
  chmodSync(home.caFile, 0o644);
  return {
    process: supervised,
    address: `https://127.0.0.1:${port}`,
    rootToken: new Secret(readFileSync(join(home.authority, 'root-token'), 'utf8').trim()),
    auditFile: join(home.authority, 'audit.log'),
    controlSocket,
  };
}
