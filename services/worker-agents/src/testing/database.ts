import type { ExecutionTicket } from '@neural-hive/contracts';
import { SCHEMAS } from '@neural-hive/contracts';
import { startPostgres } from '@neural-hive/embedded-postgres';
import { runMigrations } from '@neural-hive/orchestrator-dynamic';
import { databaseBootstrap } from '@neural-hive/vault-setup';
import pg from 'pg';

export interface TicketDatabase {
  readonly superuser: pg.ClientConfig;
  /** A login as the workers lease it. */
  readonly worker: pg.ClientConfig;
  readonly admin: pg.Pool;
  /** The login of a database engine. */
  readonly vaultAdmin: { readonly username: string; readonly password: string };
  publish(ticket: ExecutionTicket, publication?: number): Promise<void>;
  cancel(ticketId: string): Promise<void>;
  result(ticketId: string): Promise<Record<string, unknown> | undefined>;
  stop(): Promise<void>;
}

const PRIORITIES = { LOW: 0, NORMAL: 1, HIGH: 2, CRITICAL: 3 };

/** A real server with the platform's roles, schemas and functions. */
export async function startTicketDatabase(): Promise<TicketDatabase> {
  const server = await startPostgres({ database: 'neural_hive' });
  const { socketFolder: host, port, database } = server;
  const superuser = { host, port, database, ...server.superuser };
  const admin = new pg.Pool({ ...superuser, max: 4 });
  admin.on('error', () => undefined);
  const client = await admin.connect();
  const { vaultAdmin } = await databaseBootstrap(client);
  await admin.query("create role worker_login login password 'worker' in role tickets_worker");
  for (const schema of SCHEMAS) await runMigrations(client, schema);
  client.release();
  return {
    superuser,
    worker: { host, port, database, user: 'worker_login', password: 'worker' },
    admin,
    vaultAdmin: { username: vaultAdmin.username, password: vaultAdmin.password?.reveal() ?? '' },
    publish: async (ticket, publication = 0) => {
      const text = 'select tickets.publish($1, $2, $3)';
      await admin.query(text, [publication, PRIORITIES[ticket.priority], JSON.stringify(ticket)]);
    },
    cancel: async (ticketId) => {
      await admin.query('select tickets.cancel($1, true)', [ticketId]);
    },
    result: async (ticketId) => {
      const { rows } = await admin.query<{ result: Record<string, unknown> }>(
        'select result from tickets.result where ticket_id = $1 order by fencing_token desc limit 1',
        [ticketId],
      );
      return rows[0]?.result;
    },
    stop: async () => {
      await admin.end();
      await server.stop();
    },
  };
}
