import type { EmbeddedPostgres } from '@neural-hive/embedded-postgres';
import type { Secret } from '@neural-hive/security/common';
import type { VaultClient } from '@neural-hive/security/vault';
import type { SetupParameters } from '@neural-hive/vault-setup';
import type { Home } from './home.ts';
import type { Ports } from './ports.ts';
import type { Programs } from './staging.ts';
import type { ServiceUsers } from './users.ts';

export const PROFILES = ['embedded', 'real'] as const;
export type ProfileName = (typeof PROFILES)[number];

/** What serves each port of the platform: `docs/architecture.md`, section 3. For the report. */
export interface Adapters {
  readonly secrets: string;
  /** How the services log in to it. */
  readonly login: string;
  readonly identity: string;
  readonly workflow: string;
  readonly tickets: string;
  readonly plans: string;
  readonly registry: string;
  readonly database: string;
}

/** The name of a service, as its program has it. */
export type ServiceProgram = 'orchestrator-dynamic' | 'worker-agents' | 'service-registry';

export interface ProfileOptions {
  readonly home: Home;
  readonly users: ServiceUsers;
  readonly programs: Programs;
  readonly ports: Ports;
  /** Carried by every process of the platform, so that what is left of it can be found. */
  readonly marker: Readonly<Record<string, string>>;
  readonly onRestart: (name: string, why: string) => void;
}

/** The servers that the services stand on, besides PostgreSQL. They were started by the profile. */
export interface Surroundings {
  readonly adapters: Omit<Adapters, 'database'>;
  /** The secrets server. Its CA lies in the home's `caFile`. */
  readonly address: string;
  /** Kept by the supervisor alone, to apply the set-up and to clear up. */
  readonly rootToken: Secret<string>;
  /** What the set-up of the secrets server needs to know of the others. */
  readonly setup: Pick<SetupParameters, 'jwt' | 'kubernetes' | 'redis'>;
  /** Where a workload, or the operator, gets its identity. */
  workloadSocket(workload: string): string;
  /**
   * Where tickets travel by other means than rows of PostgreSQL: the logins for it, which KV holds, and what else was chosen
   * with it.
   */
  readonly production?: ProductionLogins;
  /** What a service is told in its environment of where it is. */
  environment(service: ServiceProgram): Readonly<Record<string, string>>;
  /** Gives one workload a new X509-SVID now. */
  rotateX509(spiffeId: string): Promise<void>;
  /** Counts what the services have left behind, when they have ended and the servers run. */
  countLeftovers(vault: VaultClient | undefined): Promise<{ readonly leases: number; readonly users?: number }>;
  /** Stops the servers. Idempotent. */
  close(): Promise<void>;
}

/** Logins that are made by no lease and no announcement: the profile makes and replaces them. */
export interface ProductionLogins {
  /** Before the set-up is applied: what it needs to know of what was made in the database. */
  prepareDatabase(postgres: EmbeddedPostgres): Promise<Pick<SetupParameters, 'temporal'>>;
  /** After it: the first logins, and the servers that need one themselves. */
  complete(vault: VaultClient, postgres: EmbeddedPostgres): Promise<void>;
  /**
   * Replaces the login of a KV entry. `move` has its reader look at the entry; resolves with whether it moved, when the old
   * login is gone.
   */
  rotate(path: string, move: () => Promise<boolean>): Promise<boolean>;
  /** Credentials of the servers themselves, which no service reports. */
  readonly others: readonly { readonly name: string; rotate(): Promise<void> }[];
  /** Deletes the logins, when the services have ended. */
  drop(): Promise<void>;
}

/** One way of having what the services stand on. */
export interface Profile {
  readonly name: ProfileName;
  /** For the reader, besides PostgreSQL. */
  readonly servers: string;
  /** Whether what the services keep outlives the platform. */
  readonly durable: boolean;
  /** Says what is missing, before anything is started. @throws Failure that lists all of it */
  check(options: { readonly users: ServiceUsers }): Promise<void>;
  /** Starts the servers, all or none. */
  start(options: ProfileOptions): Promise<Surroundings>;
}

/** The servers of a profile are loaded with it: nobody else has to have their clients. */
export async function profileOf(name: ProfileName): Promise<Profile> {
  if (name === 'real') return (await import('./real/real-profile.ts')).realProfile;
  return (await import('./embedded-profile.ts')).embeddedProfile;
}
