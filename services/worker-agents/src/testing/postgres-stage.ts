import { PRIORITIES } from '@neural-hive/contracts';
import pg from 'pg';
import { PostgresTicketSource, TICKET_CHANNELS } from '../adapters/postgres/ticket-source.ts';
import { startTicketDatabase } from './database.ts';
import type { TransportStage } from './ticket-source-contract.ts';

/** Tickets as rows of a real server. */
export async function openPostgresStage(): Promise<TransportStage> {
  const database = await startTicketDatabase();
  const { admin } = database;
  return {
    clear: async () => {
      const { rows } = await admin.query<{ id: string }>('select ticket_id as id from tickets.ticket');
      for (const { id } of rows) await database.cancel(id);
    },
    open: async () => {
      const pool = new pg.Pool({ ...database.worker, max: 4 });
      const listener = new pg.Client(database.worker);
      await listener.connect();
      const source = new PostgresTicketSource(pool);
      listener.on('notification', ({ channel, payload = '' }) => source.notify(channel, payload));
      for (const channel of TICKET_CHANNELS) await listener.query(`listen ${channel}`);
      let open = true;
      return {
        source,
        brought: async () => undefined,
        freeze: async () => undefined,
        close: async () => {
          if (!open) return;
          open = false;
          await listener.end();
          await pool.end();
        },
      };
    },
    publish: async (ticket) => {
      // Without a critical path the earliest deadline comes first.
      const text = 'select tickets.publish($1, $2, $3, $4)';
      await admin.query(text, [0, PRIORITIES.indexOf(ticket.priority), JSON.stringify(ticket), ticket.sla.deadline]);
    },
    publishBroken: async (ticket) => {
      await admin.query('select tickets.publish($1, $2, $3)', [0, 1, JSON.stringify(ticket)]);
    },
    cancel: (ticketId) => database.cancel(ticketId),
    results: async (ticketId) => {
      const { rows } = await admin.query<{ result: unknown }>(
        'select result from tickets.result where ticket_id = $1 order by fencing_token',
        [ticketId],
      );
      return rows.map(({ result }) => result);
    },
    close: () => database.stop(),
  };
}
