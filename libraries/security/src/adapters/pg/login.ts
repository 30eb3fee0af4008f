import type pg from 'pg';
import type { Secret } from '../../common/index.ts';

/** What a PostgreSQL session logs in with; the value of a `databaseCredentials` credential. */
export interface PgLogin {
  readonly username: string;
  readonly password: Secret<string>;
}

/**
 * The client options with the login put in. A connection string would win over `user` and `password`, so the login
 * is put into it; it has to be a URL then.
 */
export function withLogin(config: pg.ClientConfig, { username, password }: PgLogin): pg.ClientConfig {
  // Pools hide the password and the key from enumeration; spreading keeps what the login does not replace.
  const next: pg.ClientConfig = { ...config, user: username, password: password.reveal() };
  if (config.connectionString === undefined) return next;
  if (!URL.canParse(config.connectionString)) {
    throw new TypeError('connectionString: must be a URL, or give host, port and database instead');
  }
  const url = new URL(config.connectionString);
  url.username = encodeURIComponent(username);
  url.password = encodeURIComponent(password.reveal());
  next.connectionString = url.href;
  return next;
}
