import { assertPostgresSocket, fullJitterMs, messageOf, sleep } from '@neural-hive/security/common';
import { Client, type ClientBase, type ClientConfig, Pool } from 'pg';
import { type Fields, isRecord } from '../../api/fields.ts';
import { invalid } from '../../fault.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;
const MAX_ATTEMPTS = 8;

export interface ConnectionSettings {
  readonly plugin: string;
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly allowedRoles: readonly string[];
  /** `scram-sha-256`: statements get the verifier in place of the password. */
  readonly passwordAuthentication: 'password' | 'scram-sha-256';
  readonly maxConnections: number;
}

export function readConnection(fields: Fields, present: ConnectionSettings | undefined): ConnectionSettings {
  const plugin = fields.text('plugin_name') ?? present?.plugin ?? '';
  if (plugin !== 'postgresql-database-plugin') {
    throw invalid(`error creating database object: plugin not found in the catalog: ${plugin}`);
  }
  const details = fields.record('connection_details');
  const url =
    fields.text('connection_url') ?? (isRecord(details) ? String(details.connection_url) : present?.url) ?? '';
  if (url === '') throw invalid('error creating database object: connection_url cannot be empty');
  const authentication = fields.text('password_authentication') ?? present?.passwordAuthentication ?? 'password';
  if (authentication !== 'password' && authentication !== 'scram-sha-256') {
    throw invalid(`error creating database object: '${authentication}' is not a valid password authentication type`);
  }
  const settings: ConnectionSettings = {
    plugin,
    url,
    username: fields.text('username') ?? present?.username ?? '',
    password: fields.text('password') ?? present?.password ?? '',
    allowedRoles: fields.list('allowed_roles') ?? present?.allowedRoles ?? [],
    passwordAuthentication: authentication,
    maxConnections: fields.integer('max_open_connections') ?? present?.maxConnections ?? 4,
  };
  clientConfig(settings);
  return settings;
}

/** `password` is never shown. */
export function describeConnection(settings: ConnectionSettings): Record<string, unknown> {
  return {
    allowed_roles: settings.allowedRoles,
    connection_details: {
      connection_url: withoutPassword(settings.url),
      username: settings.username,
      ...(settings.passwordAuthentication === 'password'
        ? {}
        : { password_authentication: settings.passwordAuthentication }),
    },
    password_policy: '',
    plugin_name: settings.plugin,
    plugin_version: '',
    root_credentials_rotate_statements: [],
  };
}

export function mayUse(settings: ConnectionSettings, role: string): boolean {
  return settings.allowedRoles.some((allowed) =>
    allowed.endsWith('*') ? role.startsWith(allowed.slice(0, -1)) : allowed === role,
  );
}

/** The logins that the engine itself uses, opened when first needed. */
export class Connection {
  readonly #pool: Pool;

  constructor(settings: ConnectionSettings) {
    this.#pool = new Pool({
      ...clientConfig(settings),
      max: Math.max(1, settings.maxConnections),
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      application_name: 'dev-authority',
      allowExitOnIdle: true,
    });
    // An idle session that the server ends is replaced at the next use.
    this.#pool.on('error', () => undefined);
  }

  async verify(): Promise<void> {
    await this.#pool.query('SELECT 1');
  }

  /** All or nothing; once more, after a moment, when another session changed the same catalog row. */
  async transaction<T>(run: (client: ClientBase) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#attempt(run);
      } catch (error) {
        if (attempt === MAX_ATTEMPTS || !isConflict(error)) throw error;
        await sleep(fullJitterMs(attempt, { baseMs: 10, capMs: 200 }));
      }
    }
  }

  async #attempt<T>(run: (client: ClientBase) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    try {
      await client.query('BEGIN');
      const result = await run(client);
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch((failed: Error) => {
        broken = failed;
      });
      throw error;
    } finally {
      client.release(broken);
    }
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

/** Two REVOKEs on one table at once fail with an internal error, which has no code of its own. */
function isConflict(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return code === '40001' || code === '40P01' || (code === 'XX000' && /tuple concurrently/.test(String(message)));
}

/** Whoever wrote the password into the URL, instead of its place, does not get it back. */
function withoutPassword(url: string): string {
  return url
    .replace(/(:\/\/[^:/@]*:)(?!\{\{)[^@]*@/, '$1*****@')
    .replace(/(password\s*=\s*)(?!'?\{\{)(?:'[^']*'|\S+)/, '$1*****');
}

/** What the URL comes to. Refuses one that leads to a socket whose path would be cut. */
function clientConfig(settings: ConnectionSettings): ClientConfig {
  const config = parsedUrl(settings);
  try {
    assertPostgresSocket(new Client(config));
  } catch (error) {
    throw invalid(`error creating database object: ${messageOf(error)}`);
  }
  return config;
}

/** A URL, or `key=value` words as libpq takes them, with `{{username}}` and `{{password}}` filled in. */
function parsedUrl({ url, username, password }: ConnectionSettings): ClientConfig {
  const fill = (text: string, encode: (value: string) => string): string =>
    text.replace(/\{\{\s*(username|password)\s*\}\}/g, (_match, key: string) =>
      encode(key === 'username' ? username : password),
    );
  if (/^postgres(?:ql)?:\/\//.test(url)) return { connectionString: fill(url, encodeURIComponent) };
  const words = new Map<string, string>();
  for (const [, key, quoted, bare] of url.matchAll(/(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\S+))/g)) {
    words.set(
      key ?? '',
      fill((quoted ?? bare ?? '').replace(/\\(.)/g, '$1'), (value) => value),
    );
  }
  const host = words.get('host');
  if (host === undefined)
    throw invalid('error creating database object: connection_url is neither a URL nor "host=… dbname=…"');
  const ssl = words.get('sslmode') ?? 'prefer';
  return {
    host,
    port: Number(words.get('port') ?? 5432),
    user: words.get('user') ?? username,
    password: words.get('password') ?? password,
    ...(words.has('dbname') ? { database: words.get('dbname') } : {}),
    ...(ssl === 'verify-full' || ssl === 'verify-ca' || ssl === 'require'
      ? { ssl: { rejectUnauthorized: ssl !== 'require' } }
      : {}),
  };
}
