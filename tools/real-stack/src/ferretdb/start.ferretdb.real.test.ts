import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient, type MongoClientOptions } from 'mongodb';
import { expect, test } from 'vitest';
import { FERRETDB_VERSION } from './install.ts';
import { type FerretDbServer, startFerretDb } from './start.ts';

async function withClient<T>(
  { uri, username, password }: FerretDbServer,
  work: (client: MongoClient) => Promise<T>,
  options: MongoClientOptions = {},
): Promise<T> {
  await using client = new MongoClient(uri, { auth: { username, password: password.reveal() }, ...options });
  return await work(client);
}

test('a real FerretDB of the pinned version starts, keeps its secrets off the command line and leaves nothing', async () => {
  const server = await startFerretDb();
  const info = await withClient(server, (client) => client.db('admin').command({ buildInfo: 1 }));
  expect(info.ferretdbVersion).toBe(`v${FERRETDB_VERSION}`);
  const commandLine = readFileSync(`/proc/${server.pid}/cmdline`, 'utf8');
  expect(commandLine).not.toContain(server.password.reveal());
  expect(server.folder).toContain(tmpdir());
  expect(existsSync(join(server.folder, 'data'))).toBe(true);
  await server.stop();
  await server.stop();
  expect(existsSync(server.folder)).toBe(false);
});

test('it logs in by SCRAM-SHA-256 over TLS, and refuses a wrong password, no password and no TLS', async () => {
  await using server = await startFerretDb();
  const ping = (client: MongoClient) => client.db('admin').command({ listCollections: 1 });
  const { username } = server;
  expect(await withClient(server, ping, { authMechanism: 'SCRAM-SHA-256' })).toMatchObject({ ok: 1 });
  const wrong = withClient(server, ping, { auth: { username, password: 'wrong' } });
  await expect(wrong).rejects.toThrow(/authentication failed/i);
  await using anonymous = new MongoClient(server.uri);
  await expect(ping(anonymous)).rejects.toThrow(/authentication/i);
  await using plain = new MongoClient(server.uri.replace('tls=true', 'tls=false').replace(/&tlsCAFile=[^&]*/, ''), {
    serverSelectionTimeoutMS: 500,
  });
  await expect(ping(plain)).rejects.toThrow();
});

test('a program that is not FerretDB is told in one line', async () => {
  await expect(startFerretDb({ binary: '/bin/false' })).rejects.toMatchObject({ code: 'start_failed' });
});
