import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KV_PATHS } from '@neural-hive/contracts';
import type { VaultClient } from '@neural-hive/security/vault';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WorkerVaultClient } from '../adapters/vault/worker-vault-client.ts';
import { queryExecutor } from '../executors/query.ts';
import { startTicketDatabase, type TicketDatabase } from './database.ts';
import { executionOf, ticketOf } from './tickets.ts';
import type { TestVault } from './vault.ts';

/** What a worker may rely on, whichever product keeps its secrets. */
export function describeWorkerSecrets(start: (database: TicketDatabase) => Promise<TestVault>): void {
  let database: TicketDatabase;
  let vault: TestVault;
  let client: VaultClient;
  let worker: WorkerVaultClient;
  const fetched: string[] = [];
  const signal = new AbortController().signal;

  beforeAll(async () => {
    database = await startTicketDatabase();
    vault = await start(database);
    client = await vault.clientOf('worker-agents');
    worker = new WorkerVaultClient({
      client,
      metrics: { credentialsFetched: (name, status) => fetched.push(`${name} ${status}`) },
    });
  });

  afterAll(async () => {
    await vault?.stop();
    await database?.stop();
  });

  test('the login of the announcements is read and does not show itself', async () => {
    await vault.root.kv().write(KV_PATHS.workerKafka, { username: 'announce_1', password: 'hidden' });
    const login = await worker.getKafkaCredentials();
    expect(login.username).toBe('announce_1');
    expect(login.password.reveal()).toBe('hidden');
    expect(JSON.stringify(login)).not.toContain('hidden');
  });

  test('a stored login that is none is refused without being shown', async () => {
    await vault.root.kv().write(KV_PATHS.workerKafka, { secret: 'hidden' });
    const error = await worker.getKafkaCredentials().catch((thrown: Error) => thrown);
    expect(String(error)).toMatch(/username: the KV entry/);
    expect(String(error)).not.toContain('hidden');
    expect(fetched).toContain('kafka failure');
  });

  test('the settings of a type lie over those of all types, and nothing stored means the defaults', async () => {
    expect(await worker.settingsFor('BUILD', { signal })).toMatchObject({ max_rows: 500 });
    await vault.root.kv().write(KV_PATHS.workerExecution, { max_rows: '10', max_timeout_ms: 1_000, registry: 'x' });
    await vault.root.kv().write(KV_PATHS.workerExecutionOf('QUERY'), { max_rows: 20 });
    expect(await worker.settingsFor('QUERY', { signal })).toMatchObject({ max_rows: 20, max_timeout_ms: 1_000 });
    expect(await worker.settingsFor('BUILD', { signal })).toMatchObject({ max_rows: 10 });
    await vault.root.kv().write(KV_PATHS.workerExecutionOf('QUERY'), { max_rows: 'secret' });
    const error = await worker.settingsFor('QUERY', { signal }).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: 'backend' });
    expect(String(error)).not.toContain('secret');
    await vault.root.kv().write(KV_PATHS.workerExecutionOf('QUERY'), {});
  });

  test('what an injected agent wrote for all types is not asked of Vault', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'injected-'));
    writeFileSync(join(folder, 'execution'), JSON.stringify({ max_rows: '30' }));
    const injected = new WorkerVaultClient({
      client,
      injectedSecrets: folder,
      metrics: { credentialsFetched: () => {} },
    });
    expect(await injected.settingsFor('BUILD', { signal })).toMatchObject({ max_rows: 30 });
    await vault.root.kv().write(KV_PATHS.workerExecutionOf('QUERY'), { max_rows: 40 });
    expect(await injected.settingsFor('QUERY', { signal })).toMatchObject({ max_rows: 40 });
    await vault.root.kv().write(KV_PATHS.workerExecutionOf('QUERY'), {});
    rmSync(folder, { recursive: true });
  });

  test('of several attempts the newest one’s result stays, in whatever order they come', async () => {
    const store = (ticket: string, attempt: number) =>
      worker.storeResult(ticket, { attempt, fencing: attempt * 10, output: { by: String(attempt) }, logs: [] });
    const read = async (ticket: string) =>
      (await vault.root.kv().read<{ output: { by: string } }>(KV_PATHS.workerResult(ticket))).data.output.by;

    expect(await store('t.1', 1)).toBe('worker/results/t.1');
    expect(await read('t.1')).toBe('1');
    await store('t.1', 2);
    expect(await read('t.1')).toBe('2');
    await expect(store('t.1', 1)).rejects.toMatchObject({ code: 'fenced' });

    await store('t.2', 3);
    await expect(store('t.2', 2)).rejects.toMatchObject({ code: 'fenced' });
    expect(await read('t.2')).toBe('3');

    await Promise.allSettled([store('t.3', 1), store('t.3', 2), store('t.3', 3)]);
    expect(await read('t.3')).toBe('3');
  });

  test('the worker can store results and read none', async () => {
    await expect(client.kv().read(KV_PATHS.workerResult('t.1'))).rejects.toMatchObject({ code: 'permission-denied' });
  });

  test('a QUERY runs under a login of its own, which is gone when it ends', async () => {
    const { host, port, database: name } = database.superuser;
    const executor = queryExecutor({
      lease: (options) => worker.leaseQueryLogin(options),
      database: { host, port, database: name } as { host: string },
    });
    const logins = async () =>
      (await database.admin.query('select rolname from pg_roles where rolcanlogin and rolname ~ $1', ['worker-q']))
        .rows;
    const run = (statement: string) =>
      executor.execute(executionOf(ticketOf({ task_type: 'QUERY', parameters: { statement } })));
    const { output } = await run('select session_user::text as login, count(*)::int as releases from releases.history');
    const [row] = JSON.parse(output.rows ?? '') as [{ login: string; releases: number }];
    expect(row.releases).toBe(0);
    expect(row.login).toMatch(/^v-.*worker-q/);
    expect(await logins()).toEqual([]);
    await expect(run('select 1 / 0')).rejects.toMatchObject({ code: 'parameters' });
    expect(await logins()).toEqual([]);
    expect(client.leases.list()).toEqual([]);
  });
}
