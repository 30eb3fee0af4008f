import { randomBytes } from 'node:crypto';
import { type EmbeddedPostgres, startPostgres } from '@neural-hive/embedded-postgres';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../common/index.ts';
import { CredentialError, type CredentialProvider, RotatingCredential } from '../../credentials/index.ts';
import { type DedicatedClient, dedicatedClients, type PgLogin, type PgRotate } from './index.ts';

let server: EmbeddedPostgres;
let observer: pg.Pool;

beforeAll(async () => {
  server = await startPostgres();
  const { socketFolder: host, port, database, superuser } = server;
  observer = new pg.Pool({ host, port, database, user: superuser.user, password: superuser.password, max: 4 });
  observer.on('error', () => undefined);
});
afterAll(async () => {
  await observer?.end();
  await server?.stop();
});

/** Logins as Vault makes and revokes them. */
function logins(): CredentialProvider<PgLogin> {
  return {
    name: 'logins',
    async obtain() {
      const username = `login_${randomBytes(6).toString('hex')}`;
      await observer.query(`CREATE ROLE ${username} LOGIN PASSWORD 'p'`);
      return {
        value: { username, password: new Secret('p') },
        issuedAtMs: Date.now(),
        expiresAtMs: Date.now() + 3_600_000,
        async revoke() {
          await observer.query(`ALTER ROLE ${username} NOLOGIN`);
          await observer.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [username]);
          await observer.query(`DROP ROLE ${username}`);
        },
      };
    },
  };
}

async function open(drainTimeoutMs = 60_000) {
  const credential = await RotatingCredential.open({ provider: logins(), drainTimeoutMs });
  const { socketFolder: host, port, database } = server;
  const clients = dedicatedClients(credential, { host, port, database });
  return {
    credential,
    clients,
    async close() {
      await clients.close();
      await credential.close();
    },
  };
}

/** Resolves with the event, and checks that there is time. */
function rotateOf(client: DedicatedClient): Promise<PgRotate> {
  return new Promise((resolve) => {
    client.onRotate((event) => {
      expect(event.deadlineMs).toBeGreaterThan(Date.now());
      expect(event.generation).toBe(client.generation + 1);
      resolve(event);
    });
  });
}

/** Copies out what `query` gives, by the driver's own protocol; `onRow` hears of each row as it comes. */
function copyOut(client: pg.Client, query: string, onRow: (count: number) => void): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const rows: string[] = [];
    const copy = {
      submit: (connection: pg.Connection) => connection.query(`COPY (${query}) TO STDOUT`),
      handleCopyData(message: { chunk: Buffer }) {
        rows.push(message.chunk.toString().trimEnd());
        onRow(rows.length);
      },
      handleCommandComplete: () => undefined,
      handleReadyForQuery: () => resolve(rows),
      handleError: reject,
    };
    client.query(copy as never);
  });
}

describe('a dedicated session is told to leave before its login ends', () => {
  test('LISTEN: the next session listens before the old one ends, so nothing is missed', async () => {
    const { credential, clients, close } = await open();
    const heard = new Set<string>();
    const listen = async (): Promise<DedicatedClient> => {
      const client = await clients.connect();
      client.on('notification', ({ payload }) => heard.add(payload ?? ''));
      await client.query('LISTEN work');
      client.onRotate(async () => {
        await listen();
        // A round trip: what the server had sent before it has arrived.
        await client.query('UNLISTEN *');
        await client.end();
      });
      return client;
    };
    await listen();
    let sent = 0;
    let sending = true;
    const sender = (async () => {
      while (sending) {
        sent += 1;
        await observer.query("SELECT pg_notify('work', $1)", [String(sent)]);
      }
    })();
    for (let round = 0; round < 3; round += 1) {
      expect(await credential.rotate()).toMatchObject({ ok: true, terminated: 0 });
    }
    sending = false;
    await sender;
    while (!heard.has(String(sent))) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(heard.size).toBe(sent);
    await close();
  });

  test('an advisory lock: its holder finishes, lets go, and takes it again on the next session', async () => {
    const { credential, clients, close } = await open();
    const free = async (): Promise<boolean> => {
      const { rows } = await observer.query<{ free: boolean }>(
        "SELECT NOT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 7) AS free",
      );
      return rows[0]?.free === true;
    };
    const holder = await clients.connect();
    await holder.query('SELECT pg_advisory_lock(7)');
    expect(await free()).toBe(false);
    const told = rotateOf(holder);
    const rotation = credential.rotate();
    await told;
    // The new login is in use; the lock is still held, by the session that has to go.
    expect(credential.current().generation).toBe(2);
    expect(await free()).toBe(false);
    await holder.query('SELECT pg_advisory_unlock(7)');
    await holder.end();
    const next = await clients.connect();
    expect(next.generation).toBe(2);
    await next.query('SELECT pg_advisory_lock(7)');
    expect(await rotation).toMatchObject({ ok: true, terminated: 0 });
    expect(await free()).toBe(false);
    await close();
    expect(await free()).toBe(true);
  });

  test('a cursor: its reader fetches what is left', async () => {
    const { credential, clients, close } = await open();
    const reader = await clients.connect();
    await reader.query('BEGIN');
    await reader.query('DECLARE numbers CURSOR FOR SELECT n FROM generate_series(1, 1000) AS n');
    const told = rotateOf(reader);
    let rotation: ReturnType<typeof credential.rotate> | undefined;
    const read: number[] = [];
    for (;;) {
      const { rows } = await reader.query<{ n: number }>('FETCH 100 FROM numbers');
      if (rows.length === 0) break;
      read.push(...rows.map(({ n }) => n));
      if (read.length === 300) rotation = credential.rotate();
      if (read.length === 500) await told;
    }
    await reader.query('COMMIT');
    await reader.end();
    expect(await rotation).toMatchObject({ ok: true, terminated: 0 });
    expect(read).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1));
    await close();
  });

  test('COPY: it runs to its end', async () => {
    const { credential, clients, close } = await open();
    const gate = await observer.connect();
    await gate.query('SELECT pg_advisory_lock(9)');
    const copier = await clients.connect();
    let rotation: ReturnType<typeof credential.rotate> | undefined;
    // The hundredth row waits at the gate, which opens when the copier has heard that it has to go. Wide rows, so that
    // the server sends each as it makes it.
    const told = rotateOf(copier).then(() => gate.query('SELECT pg_advisory_unlock(9)'));
    const waits = "CASE WHEN n = 100 THEN pg_advisory_lock_shared(9)::text ELSE '' END";
    const query = `SELECT n, repeat('x', 9000), ${waits} FROM generate_series(1, 150) AS n`;
    const copied = await copyOut(copier, query, (count) => {
      if (count === 10) rotation = credential.rotate();
    });
    await told;
    gate.release();
    await copier.end();
    expect(copied.map((row) => Number(row.split('\t')[0]))).toEqual(Array.from({ length: 150 }, (_, at) => at + 1));
    expect(await rotation).toMatchObject({ ok: true, terminated: 0 });
    await close();
  });
});

test('a session whose user does not leave is ended at the deadline with an error that says why', async () => {
  const { credential, clients, close } = await open(200);
  const client = await clients.connect();
  const told = rotateOf(client);
  const statement = client.query('SELECT pg_sleep(60)').catch((error: unknown) => error);
  expect(await credential.rotate()).toMatchObject({ ok: true, terminated: 1 });
  expect(Date.now()).toBeGreaterThanOrEqual((await told).deadlineMs);
  expect(await statement).toBeInstanceOf(CredentialError);
  expect(await statement).toMatchObject({ code: 'session-terminated', retryable: true });
  await expect(client.query('SELECT 1')).rejects.toThrow(CredentialError);
  expect(clients.size).toBe(0);
  await close();
});

test('a session that is opened while the login is swapped is one of the new login, and a late listener hears', async () => {
  const { credential, clients, close } = await open();
  const old = await clients.connect();
  const early = rotateOf(old);
  const rotation = credential.rotate();
  const opened = await Promise.all(Array.from({ length: 5 }, () => clients.connect()));
  await early;
  await rotateOf(old);
  await old.end();
  for (const client of opened) if (client.generation === 1) client.onRotate(() => void client.end());
  expect(await rotation).toMatchObject({ ok: true, terminated: 0 });
  expect((await clients.connect()).generation).toBe(2);
  await close();
  await expect(clients.connect()).rejects.toThrow('closed');
});

test('a login that cannot connect is refused by the probe and nobody is told to leave', async () => {
  const { credential, clients, close } = await open();
  const client = await clients.connect();
  client.onRotate(() => expect.unreachable());
  const refused = /nobody/;
  const picky = dedicatedClients(credential, { host: server.socketFolder, port: server.port, database: 'nobody' });
  const outcome = await credential.rotate();
  expect(outcome).toMatchObject({ ok: false, generation: 1, error: { code: 'probe-failed' } });
  expect(String((outcome.error as Error).message)).toMatch(refused);
  await picky.close();
  client.removeAllListeners('rotate');
  await close();
});
