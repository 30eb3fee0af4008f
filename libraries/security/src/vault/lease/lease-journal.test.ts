import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FaultVault, reply } from '../../testing/fault-vault.ts';
import { tokenAuth } from '../auth/token.ts';
import { VaultClient } from '../client.ts';
import { LeaseJournal } from './lease-journal.ts';

/** Of no process: the kernel gives out no number so high. */
const DEAD = { host: hostname(), pid: 2 ** 30, started: '1' };

let server: FaultVault;
let folder: string;
let client: VaultClient;
let unrevocable: Set<unknown>;

beforeEach(async () => {
  folder = join(mkdtempSync(join(tmpdir(), 'journal-')), 'leases');
  server = await FaultVault.listen();
  unrevocable = new Set();
  let leased = 0;
  server.handler = ({ path, body }, response) => {
    if (path.endsWith('lookup-self')) {
      return reply(response, 200, { data: { accessor: 'acc', ttl: 600, renewable: true, type: 'service' } });
    }
    if (path.endsWith('leases/revoke')) {
      return unrevocable.has(body.lease_id) ? reply(response, 500, { errors: ['no'] }) : reply(response, 204, '');
    }
    if (path.endsWith('revoke-accessor')) return reply(response, 403, { errors: ['permission denied'] });
    leased += 1;
    const data = { username: 'u', password: 'hunter2' };
    reply(response, 200, { lease_id: `database/creds/a/${leased}`, lease_duration: 600, renewable: true, data });
  };
  const auth = tokenAuth({ token: 'hvs.hunter3' });
  client = await VaultClient.open({ address: server.address, ca: server.caPem, auth, maxRetries: 0 });
});
afterEach(async () => {
  await client.destroy();
  await server.close();
  rmSync(join(folder, '..'), { recursive: true, force: true });
});

const journals = (): string[] => readdirSync(folder);
const textOf = (name: string | undefined): string => readFileSync(join(folder, name ?? ''), 'utf8');
const leave = (name: string, lines: object[], torn = ''): void =>
  writeFileSync(join(folder, name), lines.map((line) => `${JSON.stringify(line)}\n`).join('') + torn);

test('a lease is in the journal before its user has it, for the owner to read only, and never its secret', async () => {
  const journal = await LeaseJournal.open(client, { folder });
  const leased: string[] = [];
  client.leases.onChange(({ type }) => {
    if (type === 'obtained') leased.push(textOf(journals()[0]));
  });
  const lease = await client.database().credentials('a');
  expect(leased[0]).toContain('{"lease":"database/creds/a/1"}');
  expect(leased[0]).toContain('{"accessor":"acc"}');
  expect(textOf(journals()[0])).not.toContain('hunter');
  expect(statSync(join(folder, journals()[0] ?? '')).mode & 0o777).toBe(0o600);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  await lease.revoke();
  expect(textOf(journals()[0])).toContain('{"gone":"database/creds/a/1"}');
  journal.close();
  expect(journals()).toEqual([]);
});

test('what the client could not revoke stays for the next opening', async () => {
  const journal = await LeaseJournal.open(client, { folder });
  await client.database().credentials('a');
  await client.destroy();
  journal.close();
  expect(textOf(journals()[0])).toContain('database/creds/a/1');
});

test('a journal does not grow with the leases that are gone', async () => {
  const journal = await LeaseJournal.open(client, { folder });
  const kept = await client.database().credentials('a');
  for (let round = 0; round < 2_100; round += 1) {
    const owner = { expiresAtMs: Number.POSITIVE_INFINITY, retired: false, generation: 1 } as never;
    const envelope = { status: 200, leaseId: `b/${round}`, leaseSeconds: 60, renewable: false, data: {}, warnings: [] };
    client.leases.track(envelope, owner, {}, Date.now(), {});
    await client.leases.handOver(owner, false);
  }
  const lines = textOf(journals()[0]).split('\n');
  expect(lines.length).toBeLessThan(500);
  expect(lines).toContain(JSON.stringify({ lease: kept.leaseId }));
  journal.close();
});

describe('opening', () => {
  beforeEach(async () => {
    (await LeaseJournal.open(client, { folder })).close();
  });

  test('revokes what a dead process left and has not given back, and ends its token', async () => {
    const lines = [{ owner: DEAD }, { accessor: 'old' }, { lease: 'a/1' }, { lease: 'a/2' }, { gone: 'a/1' }];
    leave('1.leases', lines, '{"lease":"a/');
    const journal = await LeaseJournal.open(client, { folder });
    expect(journal.sweep).toEqual({ revoked: 1, left: 0 });
    expect(server.to('/v1/sys/leases/revoke').map(({ body }) => body)).toEqual([{ lease_id: 'a/2', sync: true }]);
    expect(server.to('/v1/auth/token/revoke-accessor').map(({ body }) => body)).toEqual([{ accessor: 'old' }]);
    expect(journals()).toHaveLength(1);
    journal.close();
  });

  test('leaves those of a living process and of another machine alone', async () => {
    const living = await LeaseJournal.open(client, { folder });
    leave('2.leases', [{ owner: { ...DEAD, host: `not-${hostname()}` } }, { lease: 'a/1' }]);
    const journal = await LeaseJournal.open(client, { folder });
    expect(journal.sweep).toEqual({ revoked: 0, left: 0 });
    expect(journals()).toHaveLength(3);
    journal.close();
    living.close();
  });

  test('takes a process that got the number of a dead one for another', async () => {
    leave('3.leases', [{ owner: { ...DEAD, pid: process.pid } }, { lease: 'a/1' }]);
    const journal = await LeaseJournal.open(client, { folder });
    expect(journal.sweep.revoked).toBe(1);
    journal.close();
  });

  test('keeps what could not be revoked for the next one', async () => {
    leave('4.leases', [{ owner: DEAD }, { lease: 'a/1' }, { lease: 'a/2' }]);
    unrevocable.add('a/1');
    const first = await LeaseJournal.open(client, { folder });
    expect(first.sweep).toEqual({ revoked: 1, left: 1 });
    first.close();
    unrevocable.clear();
    const second = await LeaseJournal.open(client, { folder });
    expect(second.sweep).toEqual({ revoked: 2, left: 0 });
    second.close();
    expect(journals()).toEqual([]);
  });
});
