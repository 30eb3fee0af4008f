import { randomBytes } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { STATIC_DATABASE_ROLES } from '@neural-hive/contracts';
import type { EmbeddedPostgres } from '@neural-hive/embedded-postgres';
import { prepareTemporalDatabase, startTemporal, TEMPORAL_VERSION } from '@neural-hive/real-stack';
import type { Secret } from '@neural-hive/security/common';
import type { VaultClient } from '@neural-hive/security/vault';
import type { SetupParameters } from '@neural-hive/vault-setup';
import { EXIT, Failure } from '../../failure.ts';
import { withLogin, withSuperuser } from '../database.ts';
import { type Home, makeFolder } from '../home.ts';
import { TEMPORAL_ADMIN } from '../leftovers.ts';

/** Of Temporal, where its login may connect: into the platform's own it may not. */
const DATABASE = 'temporal';
const ROLE = STATIC_DATABASE_ROLES.temporalServer;
/** No connection of Temporal is older than this after its password was replaced. */
const CONNECTION_LIFE_MS = 10_000;
const MOVE_LIMIT_MS = 60_000;
const POLL_MS = 200;
/** As long as the certificates of the run. */
const TOKEN_SECONDS = 86_400;

/** Makes Temporal's tables and its login; answers what OpenBao needs to set the password of that login. */
export async function prepareWorkflowStore(
  postgres: EmbeddedPostgres,
  binaries: string,
): Promise<NonNullable<SetupParameters['temporal']>> {
  const { username } = await prepareTemporalDatabase(postgres, { binaries });
  const password = randomBytes(24).toString('hex');
  await withSuperuser(postgres, async (client) => {
    await client.query(`CREATE ROLE ${TEMPORAL_ADMIN} LOGIN CREATEROLE PASSWORD '${password}'`);
    await client.query(`GRANT ${username} TO ${TEMPORAL_ADMIN} WITH ADMIN OPTION`);
  });
  const { socketFolder, port } = postgres;
  const where = new URLSearchParams({ host: socketFolder, port: String(port) });
  const url = `postgresql://{{username}}:{{password}}@/${DATABASE}?${where}`;
  return { url, username: TEMPORAL_ADMIN, password };
}

export interface WorkflowServer {
  readonly version: string;
  /** `host:port`, gRPC; clients show an X509-SVID. */
  readonly address: string;
  readonly namespace: string;
  /** The authority of the server's certificate. Readable by every service. */
  readonly caFile: string;
  readonly pid: number | undefined;
  /** Replaces the password; resolves when the same process works with the new one and no session of the old is left. */
  rotatePassword(): Promise<void>;
  close(): Promise<void>;
}

export interface StartWorkflowServerOptions {
  readonly home: Home;
  readonly postgres: EmbeddedPostgres;
  /** As root: makes the token that reads the password, and replaces it. */
  readonly vault: VaultClient;
  readonly vaultAddress: string;
  readonly programs: { readonly bao: string; readonly temporal: string };
  /** Authorities of the X509-SVIDs that clients show. PEM. */
  readonly clientAuthorities: readonly string[];
  readonly log: (line: string) => void;
}

/** Starts a Temporal whose password OpenBao keeps, and which asks for it at every new connection. */
export async function startWorkflowServer(options: StartWorkflowServerOptions): Promise<WorkflowServer> {
  const { home, postgres, vault, vaultAddress, programs, clientAuthorities, log } = options;
  const { username } = await vault.database().staticCredentials(ROLE);
  const folder = join(home.run, 'temporal');
  makeFolder(folder, { mode: 0o700 });
  const body = { policies: [ROLE], no_default_policy: true, ttl: `${TOKEN_SECONDS}s` };
  const { auth } = await vault.request({ method: 'POST', path: 'auth/token/create', body });
  // Where `bao` looks for it.
  writeFileSync(join(folder, '.vault-token'), auth?.token.reveal() ?? '', { mode: 0o600 });
  const { socketFolder, port } = postgres;
  const temporal = await startTemporal({
    binaries: programs.temporal,
    store: {
      ...{ socketFolder, port, username, maxConnectionLifeMs: CONNECTION_LIFE_MS },
      passwordCommand: {
        program: programs.bao,
        args: ['read', '-field=password', `database/static-creds/${ROLE}`],
      },
    },
    environment: { HOME: folder, BAO_ADDR: vaultAddress, BAO_CACERT: home.caFile },
    clientAuthorities,
    // A poll that waits on the connection of an old certificate ends soon, and the rotation with it.
    dynamic: { 'matching.longPollExpirationInterval': '5s' },
    log,
  });
  const caFile = join(home.run, 'temporal-ca.pem');
  writeFileSync(caFile, temporal.authority.certificatePem);
  chmodSync(caFile, 0o644);
  return {
    version: TEMPORAL_VERSION,
    address: temporal.address,
    namespace: temporal.namespace,
    caFile,
    pid: temporal.pid,
    async rotatePassword() {
      const old = await vault.database().staticCredentials(ROLE);
      await vault.database().rotateRole(ROLE);
      const rotatedAt = new Date();
      const next = await vault.database().staticCredentials(ROLE);
      const enters = (password: Secret<string>): Promise<boolean> => letsIn(postgres, { username, password });
      if (!(await enters(next.password)) || (await enters(old.password))) {
        throw new Failure(EXIT.fellShort, `The password of ${username} was not replaced`);
      }
      await sessionsMoved(postgres, username, rotatedAt);
    },
    close: () => temporal.stop(),
  };
}

function letsIn(postgres: EmbeddedPostgres, login: { username: string; password: Secret<string> }): Promise<boolean> {
  const { socketFolder, port } = postgres;
  return withLogin({ socketFolder, port, database: DATABASE }, login, async () => true).catch(() => false);
}

/** Waits until there are sessions younger than the rotation, and no older ones. */
async function sessionsMoved(postgres: EmbeddedPostgres, username: string, rotatedAt: Date): Promise<void> {
  const moved = await withSuperuser(postgres, async (client) => {
    for (const endMs = performance.now() + MOVE_LIMIT_MS; performance.now() < endMs; await delay(POLL_MS)) {
      const { rows } = await client.query<{ older: number; younger: number }>(
        `SELECT count(*) FILTER (WHERE backend_start < $2)::int AS older,
                count(*) FILTER (WHERE backend_start >= $2)::int AS younger
         FROM pg_stat_activity WHERE usename = $1`,
        [username, rotatedAt],
      );
      if (rows[0]?.older === 0 && rows[0].younger > 0) return true;
    }
    return false;
  });
  if (!moved) throw new Failure(EXIT.fellShort, `Temporal did not move to its new password within ${MOVE_LIMIT_MS} ms`);
}
