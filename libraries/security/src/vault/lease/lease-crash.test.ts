import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { DevAuthority } from '@neural-hive/dev-authority';
import { startPostgres } from '@neural-hive/embedded-postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ConfiguredVault, DATABASE_MOUNT } from '../../testing/vault-target.ts';
import { LeaseJournal } from './lease-journal.ts';

const workspace = fileURLToPath(new URL('../../..', import.meta.url));
let folder: string;
let vault: ConfiguredVault;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lease-crash-'));
  const compiler = fileURLToPath(new URL('../../../../../node_modules/.bin/tsc', import.meta.url));
  const [authority, server] = await Promise.all([
    DevAuthority.open({ stateFolder: join(folder, 'authority') }),
    startPostgres(),
    promisify(execFile)(compiler, ['-b', workspace]),
  ]);
  const { socketFolder: host, port, database, superuser } = server;
  vault = await ConfiguredVault.open({
    name: 'dev authority',
    address: authority.address,
    caPem: authority.caPem,
    rootToken: authority.rootToken,
    postgres: { host, port, database, user: superuser.user, password: superuser.password },
    async close() {
      await authority.close();
      await server.stop();
    },
  });
  await vault.jwtRole('crash', 600, 3_600);
  await vault.databaseRole('crash', 600, 3_600);
}, 180_000);
afterAll(async () => {
  await vault?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Rotates, and says the names of the old and the new login when the new one is leased but in nobody's hands yet. */
const CHILD = `
  import { databaseCredentials, RotatingCredential } from 'DIST/credentials/index.js';
  import { LeaseJournal, tokenAuth, VaultClient } from 'DIST/vault/index.js';
  const { address, ca, token, mount, folder } = JSON.parse(process.argv[2]);
  const client = await VaultClient.open({ address, ca, auth: tokenAuth({ token }) });
  await LeaseJournal.open(client, { folder });
  const credential = await RotatingCredential.open({ provider: databaseCredentials(client, 'crash', { mount }) });
  const old = credential.current().value.username;
  credential.attach({
    probe: ({ value }) => new Promise(() => process.stdout.write(old + ' ' + value.username + '\\n')),
    publish: () => process.stdout.write('published\\n'),
    drain: async () => ({ terminated: 0 }),
  });
  setInterval(() => undefined, 1000);
  await credential.rotate();
`;

test('a process that is killed between a new lease and its use leaves neither lease after the next start', async () => {
  const script = join(folder, 'rotate.mjs');
  const dist = pathToFileURL(join(workspace, 'dist')).href;
  writeFileSync(script, CHILD.replaceAll('DIST', dist));
  const journals = join(folder, 'leases');
  const { address, caPem: ca, rootToken: token } = vault.target;
  const settings = { address, ca, token, mount: DATABASE_MOUNT, folder: journals };
  const child = spawn(process.execPath, [script, JSON.stringify(settings)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line);
    child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL');
  const usernames = said.flatMap((line) => line.split(' '));
  expect(usernames).toHaveLength(2);
  for (const username of usernames) expect(await vault.hasRole(username)).toBe(true);

  const next = await vault.login('crash');
  const journal = await LeaseJournal.open(next, { folder: journals });
  expect(journal.sweep).toEqual({ revoked: 2, left: 0 });
  for (const username of usernames) expect(await vault.hasRole(username)).toBe(false);
  await next.close();
  journal.close();
  expect(readdirSync(journals)).toEqual([]);
});
