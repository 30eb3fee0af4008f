import { messageOf } from '@neural-hive/security/common';
import { escapeIdentifier, escapeLiteral } from 'pg';
import type { Answer, Backend, Call, Route } from '../../api/route.ts';
import { denied, Fault, invalid, notFound } from '../../fault.ts';
import type { Lease } from '../../lease/lease-store.ts';
import { grantTtl } from '../../lease/ttl.ts';
import type { Mount } from '../../mount-table.ts';
import type { Parts } from '../../parts.ts';
import { randomText } from '../../random-text.ts';
import { Connection, type ConnectionSettings, describeConnection, mayUse, readConnection } from './connection.ts';
import { type DatabaseRole, describeDatabaseRole, readDatabaseRole } from './database-role.ts';
import { revokeLogin } from './revocation.ts';
import { scramVerifier } from './scram-verifier.ts';
import { expirationText, fillStatement, leasedName } from './statements.ts';

interface Saved {
  readonly connections: Record<string, ConnectionSettings>;
  readonly roles: Record<string, DatabaseRole>;
}

/** `database/`: logins of PostgreSQL that live as long as their lease. */
export function databaseBackend(parts: Parts, mount: Mount, saved: unknown): Backend {
  const state = (saved ?? { connections: {}, roles: {} }) as Saved;
  const settings = new Map(Object.entries(state.connections));
  const roles = new Map(Object.entries(state.roles));
  const open = new Map<string, Connection>();

  const connectionOf = (name: string): Connection => {
    const known = settings.get(name);
    if (known === undefined) throw failure(`failed to find entry for connection with name: "${name}"`);
    const connection = open.get(name) ?? new Connection(known);
    open.set(name, connection);
    return connection;
  };
  const forget = async (name: string): Promise<void> => {
    const connection = open.get(name);
    open.delete(name);
    await connection?.close();
  };
  const configure = async (call: Call): Promise<Answer> => {
    const name = call.params.name ?? '';
    const next = readConnection(call.fields, settings.get(name));
    if (call.fields.flag('verify_connection') !== false) {
      const probe = new Connection(next);
      try {
        await probe.verify();
      } catch (error) {
        throw invalid(`error creating database object: error verifying connection: ${messageOf(error)}`);
      } finally {
        await probe.close();
      }
    }
    settings.set(name, next);
    await forget(name);
    return {};
  };

  /** A login that is in use somewhere while it is made would be an orphan after a crash: its lease is written first. */
  const credentials = async (call: Call): Promise<Answer> => {
    const roleName = call.params.name ?? '';
    const role = roles.get(roleName);
    if (role === undefined) throw invalid(`unknown role: ${roleName}`);
    const known = settings.get(role.database);
    if (known === undefined) throw failure(`failed to find entry for connection with name: "${role.database}"`);
    if (!mayUse(known, roleName)) throw failure(`"${roleName}" is not an allowed role`);
    if (role.creation.length === 0) throw failure('empty creation statements');
    if (call.token === undefined) throw denied();
    const nowMs = parts.clock.now();
    const { ttlSeconds, maxTtlSeconds, warnings } = grantTtl(
      { ttlSeconds: role.defaultTtlSeconds, maxTtlSeconds: role.maxTtlSeconds },
      mount.settings,
    );
    const epochSeconds = Math.floor(nowMs / 1000);
    const username = leasedName({ who: call.token.displayName, role: roleName, random: randomText(20), epochSeconds });
    const password = `${randomText(4)}-${randomText(16)}`;
    const expiration = expirationText(nowMs + ttlSeconds * 1000);
    const connection = connectionOf(role.database);
    await connection.verify().catch((error: unknown) => {
      throw failure(`failed to connect to the database: ${messageOf(error)}`);
    });
    const lease = await parts.leases.create(
      {
        mount: mount.path,
        path: call.path,
        tokenAccessor: call.token.accessor,
        ttlSeconds,
        maxTtlSeconds,
        payload: { database: role.database, role: roleName, username, revocation: JSON.stringify(role.revocation) },
      },
      async () => {
        const sent = known.passwordAuthentication === 'scram-sha-256' ? scramVerifier(password) : password;
        const filled = role.creation.map((statement) =>
          fillStatement(statement, { name: username, password: sent, expiration }),
        );
        try {
          await connection.transaction(async (client) => {
            for (const statement of filled) await client.query(statement);
          });
        } catch (error) {
          throw failure(`failed to execute query: ${withoutSecret(databaseMessage(error), sent)}`);
        }
      },
    );
    return {
      data: { password, username },
      lease: { id: lease.id, ttlSeconds, renewable: true },
      warnings,
      changed: true,
    };
  };

  const renewLease = async (lease: Lease, expiresAtMs: number): Promise<void> => {
    const { database, role, username } = payloadOf(lease);
    const statements = roles.get(role)?.renewal ?? [];
    const expiration = expirationText(expiresAtMs);
    try {
      await connectionOf(database).transaction(async (client) => {
        if (statements.length === 0) {
          await client.query(`ALTER ROLE ${escapeIdentifier(username)} VALID UNTIL ${escapeLiteral(expiration)}`);
        }
        for (const statement of statements)
          await client.query(fillStatement(statement, { name: username, expiration }));
      });
    } catch (error) {
      throw failure(`failed to renew: ${databaseMessage(error)}`);
    }
  };
  const revokeLease = async (lease: Lease): Promise<void> => {
    const { database, role, username, revocation } = payloadOf(lease);
    // The role as it is now, so that a broken statement can be mended; as it was when the role is gone.
    const statements = roles.get(role)?.revocation ?? revocation;
    await connectionOf(database).transaction((client) => revokeLogin(client, username, statements));
  };

  const routes: Route[] = [
    { path: 'creds/:name', read: credentials },
    {
      path: 'config/:name',
      exists: ({ params }) => settings.has(params.name ?? ''),
      read: ({ params }) => ({ data: describeConnection(present(settings, params.name)) }),
      write: configure,
      delete: async ({ params }) => {
        settings.delete(params.name ?? '');
        await forget(params.name ?? '');
        return {};
      },
    },
    { path: 'config', list: () => ({ data: { keys: namesOf(settings) } }) },
    {
      path: 'reset/:name',
      write: async ({ params }) => {
        await forget(params.name ?? '');
        return {};
      },
    },
    {
      path: 'roles/:name',
      exists: ({ params }) => roles.has(params.name ?? ''),
      read: ({ params }) => ({ data: describeDatabaseRole(present(roles, params.name)) }),
      write: ({ params, fields }) => {
        const name = params.name ?? '';
        if (!/^\w(?:[\w.-]*\w)?$/.test(name)) throw invalid('the name of a role has letters, digits, ".", "_" and "-"');
        roles.set(name, readDatabaseRole(fields, roles.get(name)));
        return {};
      },
      delete: ({ params }) => {
        roles.delete(params.name ?? '');
        return {};
      },
    },
    { path: 'roles', list: () => ({ data: { keys: namesOf(roles) } }) },
  ];
  return {
    routes,
    renewLease,
    revokeLease,
    save: (): Saved => ({ connections: Object.fromEntries(settings), roles: Object.fromEntries(roles) }),
    close: async () => {
      await Promise.allSettled([...open.keys()].map(forget));
    },
  };
}

function present<T>(entries: ReadonlyMap<string, T>, name = ''): T {
  const found = entries.get(name);
  if (found === undefined) throw notFound();
  return found;
}

function namesOf(entries: ReadonlyMap<string, unknown>): string[] {
  if (entries.size === 0) throw notFound();
  return [...entries.keys()].sort();
}

function payloadOf(lease: Lease): { database: string; role: string; username: string; revocation: readonly string[] } {
  const { database = '', role = '', username = '', revocation = '[]' } = lease.payload;
  return { database, role, username, revocation: JSON.parse(revocation) as string[] };
}

/** PostgreSQL's message without its detail, which could quote a statement and so a password. */
function databaseMessage(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  const text = error instanceof RangeError ? error.message : messageOf(error).split('\n')[0]?.slice(0, 200);
  return typeof code === 'string' ? `ERROR: ${text} (SQLSTATE ${code})` : `ERROR: ${text}`;
}

/** A syntax error quotes what stands at its place, which may be a piece of a password that its author forgot to quote. */
function withoutSecret(text: string, secret: string): string {
  return text.replace(/"([^"]*)"/g, (quoted, inner: string) => (secret.includes(inner) ? '"…"' : quoted));
}

function failure(text: string): Fault {
  return new Fault('internal', text, { errors: [`1 error occurred:\n\t* ${text}\n\n`] });
}
