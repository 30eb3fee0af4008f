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

/** The database engine. */
export interface DatabaseEngine {
  /**
   * Has the server create a login for `role`. Every call creates one, so it is repeated only when it surely did not
   * run. The lease is renewed until it is revoked or its maximum lifetime is near.
   */
  credentials(role: string, options?: LeaseOptions): Promise<Lease<DatabaseCredential>>;
}

function parseCredential({ data }: VaultEnvelope): DatabaseCredential {
  const { username, password } = data;
  if (typeof username !== 'string' || typeof password !== 'string') {
    throw new VaultError('bad-response', 'Leasing a database login: the answer has no username and password');
  }
  return { username, password: new Secret(password) };
}

export function databaseEngine({ lease }: EngineContext, mount: string): DatabaseEngine {
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
  };
}
