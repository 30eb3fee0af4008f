import type { Secret } from '@neural-hive/security/common';
import { assertPostgresSocket, messageOf } from '@neural-hive/security/common';
import pg from 'pg';
import type { Execution } from '../domain/executor.ts';
import { TicketFailure } from '../domain/failure.ts';
import { QueryRows } from './query-rows.ts';

/** A login that exists for one ticket. */
export interface QueryLogin {
  readonly value: { readonly username: string; readonly password: Secret<string> };
  revoke(): Promise<void>;
}

export interface PostgresQueryOptions {
  /** Leases a login. It is given back as soon as the ticket ends, however it ends. */
  readonly lease: (options: { signal: AbortSignal }) => Promise<QueryLogin>;
  readonly database: Pick<pg.ClientConfig, 'host' | 'port' | 'database' | 'ssl'>;
  /** The login could not be given back; it ends with its lease. */
  readonly onRevokeFailed?: (error: unknown) => void;
}

export type PostgresQuery = (statement: string, execution: Execution) => Promise<Record<string, string>>;

const FETCH_ROWS = 100;
const REVOKE_ATTEMPTS = 3;

/**
 * Answers one SELECT, VALUES or WITH statement in a read-only transaction, by a login of its own. Throws a `TicketFailure`.
 * @throws RangeError for a socket folder whose socket has a path over 103 bytes
 */
export function postgresQuery({ lease, database, onRevokeFailed = () => {} }: PostgresQueryOptions): PostgresQuery {
  assertPostgresSocket(new pg.Client(database));
  return async (statement, execution) => {
    const login = await lease({ signal: execution.signal });
    try {
      return await read(statement, login, database, execution);
    } finally {
      await revoke(login).catch(onRevokeFailed);
    }
  };
}

async function revoke(login: QueryLogin): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await login.revoke();
      return;
    } catch (error) {
      if (attempt === REVOKE_ATTEMPTS) throw error;
    }
  }
}

async function read(
  statement: string,
  { value: { username, password } }: QueryLogin,
  database: PostgresQueryOptions['database'],
  { signal, timeoutMs, settings }: Execution,
): Promise<Record<string, string>> {
  const client = new pg.Client({
    ...database,
    user: username,
    password: password.reveal(),
    application_name: 'worker-query',
    connectionTimeoutMillis: 10_000,
    statement_timeout: timeoutMs,
    idle_in_transaction_session_timeout: timeoutMs,
  });
  client.on('error', () => undefined);
  // Cuts the connection, so that the server ends what it is doing.
  const abort = (): void => void client.connection.stream.destroy();
  signal.throwIfAborted();
  signal.addEventListener('abort', abort, { once: true });
  try {
    await client.connect();
    await client.query('BEGIN READ ONLY');
    // The extended protocol takes one statement only, and a cursor can be declared for nothing but a query.
    const text = `DECLARE result NO SCROLL CURSOR FOR ${statement}`;
    await client.query({ text, queryMode: 'extended' } as pg.QueryConfig);
    const output = await fetchRows(client, settings);
    await client.query('ROLLBACK');
    return output;
  } catch (error) {
    signal.throwIfAborted();
    throw failureOfQuery(error);
  } finally {
    signal.removeEventListener('abort', abort);
    await client.end().catch(() => undefined);
  }
}

async function fetchRows(client: pg.Client, settings: Execution['settings']): Promise<Record<string, string>> {
  const rows = new QueryRows(settings);
  for (;;) {
    const { rows: fetched } = await client.query(`FETCH FORWARD ${FETCH_ROWS} FROM result`);
    if (!fetched.every((row) => rows.add(JSON.stringify(row))) || fetched.length < FETCH_ROWS) return rows.output();
  }
}

/** Classes of SQLSTATE that a repetition with the same statement cannot change. */
const FINAL = /^(22|25|26|34|42|0A)/;

function failureOfQuery(error: unknown): TicketFailure {
  const code = error instanceof pg.DatabaseError ? (error.code ?? '') : '';
  if (code === '57014') return new TicketFailure('timeout', 'The statement took too long', { cause: error });
  if (FINAL.test(code)) {
    return new TicketFailure('parameters', `The database refused the statement (${code})`, { cause: error });
  }
  const what = code === '' ? messageOf(error) : code;
  return new TicketFailure('backend', `The database could not answer (${what})`, { cause: error });
}
