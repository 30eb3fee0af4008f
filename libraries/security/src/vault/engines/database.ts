import { Secret } from '../../common/index.ts';
import type { VaultEnvelope } from '../envelope.ts';
import { VaultError } from '../errors.ts';
import type { Lease, LeaseOptions } from '../lease/lease.ts';
import type { EngineContext } from './context.ts';

/** A login of a database. */
export interface DatabaseCredential {
  readonly username: string;
  readonly password: Secret<string>;
}

/** A login whose name stays and whose password the server changes. It has no lease. */
export interface StaticDatabaseCredential extends DatabaseCredential {
  /** Until the password changes. In seconds. The old one ends at that moment: there is no overlap. */
  readonly ttlSeconds: number;
  readonly lastRotationAtMs: number;
  /** In seconds; absent for a role with a schedule. */
  readonly rotationPeriodSeconds?: number;
  /** As cron writes it; absent for a role with a period. */
  readonly rotationSchedule?: string;
}

interface WithSignal {
  readonly signal?: AbortSignal | undefined;
}

/** The database engine. */
export interface DatabaseEngine {
  /**
   * Has the server create a login for `role`. Every call creates one, so it is repeated only when it surely did not
   * run. The lease is renewed until it is revoked or its maximum lifetime is near.
   */
  credentials(role: string, options?: LeaseOptions): Promise<Lease<DatabaseCredential>>;
  /** The present login of a static role. Read it again after `ttlSeconds`, until `lastRotationAtMs` moves. */
  staticCredentials(role: string, options?: WithSignal): Promise<StaticDatabaseCredential>;
  /** Changes the password of a static role now. */
  rotateRole(role: string, options?: WithSignal): Promise<void>;
  /**
   * Changes the password with which the server itself logs in to `connection`. Nobody else knows the new one: give
   * the server a login of its own first.
   */
  rotateRoot(connection: string, options?: WithSignal): Promise<void>;
}

function parseCredential({ data }: Pick<VaultEnvelope, 'data'>): DatabaseCredential {
  const { username, password } = data;
  if (typeof username !== 'string' || typeof password !== 'string') {
    throw new VaultError('bad-response', 'Reading a database login: the answer has no username and password');
  }
  return { username, password: new Secret(password) };
}

function parseStaticCredential({ data }: VaultEnvelope): StaticDatabaseCredential {
  const { ttl, rotation_period: period, rotation_schedule: schedule } = data;
  // OpenBao's documentation has a name of its own for it; its answers have Vault's.
  const last = data.last_vault_rotation ?? data.last_openbao_rotation;
  const lastRotationAtMs = typeof last === 'string' ? Date.parse(last) : Number.NaN;
  if (typeof ttl !== 'number' || Number.isNaN(lastRotationAtMs)) {
    throw new VaultError('bad-response', 'Reading a static database login: the answer has no ttl and last rotation');
  }
  return {
    ...parseCredential({ data }),
    ttlSeconds: ttl,
    lastRotationAtMs,
    ...(typeof period === 'number' && period > 0 ? { rotationPeriodSeconds: period } : {}),
    ...(typeof schedule === 'string' && schedule !== '' ? { rotationSchedule: schedule } : {}),
  };
}

export function databaseEngine({ call, lease }: EngineContext, mount: string): DatabaseEngine {
  /** Not repeated after a lost answer: a second rotation would end the password that the first one made. */
  const rotate = async (path: string, operation: string, signal: AbortSignal | undefined): Promise<void> => {
    await call({ method: 'POST', path, operation, safe: false, signal });
  };
  return {
    credentials(role, options = {}) {
      const path = `${mount}/creds/${role}`;
      const { signal } = options;
      return lease(
        { method: 'GET', path, operation: 'database.credentials', safe: false, signal },
        parseCredential,
        options,
      );
    },
    async staticCredentials(role, { signal } = {}) {
      const path = `${mount}/static-creds/${role}`;
      return parseStaticCredential(
        await call({ method: 'GET', path, operation: 'database.static-credentials', signal }),
      );
    },
    rotateRole: (role, { signal } = {}) => rotate(`${mount}/rotate-role/${role}`, 'database.rotate-role', signal),
    rotateRoot: (name, { signal } = {}) => rotate(`${mount}/rotate-root/${name}`, 'database.rotate-root', signal),
  };
}
