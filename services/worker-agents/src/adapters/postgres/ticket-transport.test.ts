import { KV_PATHS } from '@neural-hive/contracts';
import { silentLogger, type VaultClient } from '@neural-hive/security/vault';
import { CredentialBoard, ResourceStack } from '@neural-hive/service-runtime';
import { createAnnouncementUser, dropAnnouncementUser } from '@neural-hive/vault-setup';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestAuthority, type TestAuthority } from '../../testing/authority.ts';
import { startTicketDatabase, type TicketDatabase } from '../../testing/database.ts';
import { ticketOf } from '../../testing/tickets.ts';
import { openTicketTransport, type TicketTransport } from './ticket-transport.ts';

let database: TicketDatabase;
let vault: TestAuthority;
let client: VaultClient;
let transport: TicketTransport;
const resources = new ResourceStack();
const board = new CredentialBoard();

async function announcer(name: string): Promise<void> {
  for (const statement of createAnnouncementUser(name, 'announce')) await database.admin.query(statement);
  await vault.root.kv().write(KV_PATHS.workerKafka, { username: name, password: 'announce' });
}

beforeAll(async () => {
  database = await startTicketDatabase();
  vault = await startTestAuthority(database);
  await announcer('announce_1');
  client = await vault.clientOf('worker-agents');
  const { host, port, database: name } = database.superuser;
  transport = await openTicketTransport({
    vault: client,
    database: { host: String(host), port: Number(port), database: String(name) },
    kvMount: 'secret',
    databaseMount: 'database',
    kvPollMs: 100,
    agentId: 'agent-1',
    logger: silentLogger,
    resources,
    signal: new AbortController().signal,
  });
  for (const entry of transport.entries) board.register(entry);
});

afterAll(async () => {
  await board.close();
  await resources.close();
  await vault?.stop();
  await database?.stop();
});

const announced = (): Promise<void> =>
  new Promise((resolve) => {
    const stop = transport.source.onReady(() => {
      stop();
      resolve();
    });
  });

test('the worker takes tickets under a leased login that may do nothing else', async () => {
  const { source } = transport;
  await database.publish(ticketOf({ task_type: 'BUILD', ticket_id: 'transport.1' }));
  const { tickets } = await source.claim({ types: ['BUILD'], agentId: 'agent-1', limit: 5 });
  expect(tickets.map(({ ticket }) => ticket.ticket_id)).toEqual(['transport.1']);
  const { fencing } = tickets[0] ?? { fencing: 0 };
  expect(await source.heartbeat('transport.1', fencing)).toBe(true);
  expect(await source.heartbeat('transport.1', fencing + 1)).toBe(false);
  expect(await source.release('transport.1', fencing)).toBe(true);
  expect(await source.finish('transport.1', fencing, {})).toBe(false);
  const { rows } = await database.admin.query("select count(*)::int as n from pg_roles where rolname ~ 'worker-t'");
  expect(rows).toEqual([{ n: 1 }]);
});

test('a new ticket is announced', async () => {
  const heard = announced();
  await database.publish(ticketOf({ task_type: 'BUILD', ticket_id: 'transport.2' }));
  await heard;
});

test('the leased login is replaced under load, and no call fails', async () => {
  board.startLoad();
  const record = await board.rotate('database/worker-tickets');
  await board.stopLoad();
  expect(record).toMatchObject({ ok: true, failed: 0, terminated: 0 });
  expect(record.operationsDuring).toBeGreaterThanOrEqual(50);
  const { rows } = await database.admin.query("select count(*)::int as n from pg_roles where rolname ~ 'worker-t'");
  expect(rows).toEqual([{ n: 1 }]);
});

test('the stored login is replaced by its writer, and no announcement is lost', async () => {
  board.startLoad();
  await announcer('announce_2');
  expect(await board.rotate('secret/worker/kafka')).toMatchObject({ ok: true, failed: 0, terminated: 0 });
  const sessions = async () =>
    (await database.admin.query("select 1 from pg_stat_activity where usename = 'announce_1'")).rows.length;
  await expect.poll(sessions, { timeout: 10_000 }).toBe(0);
  for (const statement of dropAnnouncementUser('announce_1')) await database.admin.query(statement);
  const { load, totals } = { load: await board.stopLoad(), totals: (await board.report()).totals };
  expect(totals).toMatchObject({ failedOperations: 0, unsuccessful: 0 });
  expect(load.credentials.find(({ name }) => name === 'secret/worker/kafka')?.failed).toBe(0);
  const heard = announced();
  await database.publish(ticketOf({ task_type: 'BUILD', ticket_id: 'transport.3' }));
  await heard;
});
