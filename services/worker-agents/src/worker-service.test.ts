import { execFileSync } from 'node:child_process';
import { chownSync, copyFileSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ExecutionTicket, KV_PATHS, SPIFFE_IDS } from '@neural-hive/contracts';
import { createAnnouncementUser } from '@neural-hive/vault-setup';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AttemptLauncher, startAttemptLauncher } from './attempts/attempt-launcher.ts';
import { defaultPrograms } from './attempts/program-catalogue.ts';
import { startTestAuthority, type TestAuthority } from './testing/authority.ts';
import { startTicketDatabase, type TicketDatabase } from './testing/database.ts';
import { compiledGuards, openFolder, typescriptFolder } from './testing/guards.ts';
import { processesOfUid } from './testing/processes.ts';
import { type ServiceProcess, startService } from './testing/service-process.ts';
import { ticketOf } from './testing/tickets.ts';

const repository = fileURLToPath(new URL('../../..', import.meta.url));

/** Whether other users can cross the folders of the clone. */
function reachableByAll(path: string): boolean {
  for (let folder = path; ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

const separated = process.getuid?.() === 0 && reachableByAll(repository);
const WORKER_UID = 62_420;
const ATTEMPT_UIDS = [62_421, 62_422, 62_423];

let base: string;
let database: TicketDatabase;
let vault: TestAuthority;
let registry: ServiceProcess;
let launcher: AttemptLauncher | undefined;
const workers: ServiceProcess[] = [];

/** `crossed`: attempts read artifacts and releases below it. */
function ownFolder(name: string, access: 'private' | 'crossed' = 'crossed'): string {
  const folder = join(base, name);
  mkdirSync(folder, { mode: access === 'private' ? 0o700 : 0o711 });
  if (separated) chownSync(folder, WORKER_UID, WORKER_UID);
  return folder;
}

beforeAll(async () => {
  const projects = ['service-registry', 'worker-agents'].map((name) => join(repository, 'services', name));
  execFileSync(process.execPath, [join(repository, 'tools/build.mjs'), ...projects]);
  base = openFolder('service');
  const sockets = ownFolder('id', 'private');
  const own = separated ? { uid: WORKER_UID, gid: WORKER_UID } : {};
  database = await startTicketDatabase();
  vault = await startTestAuthority(database, {
    workloads: [
      { socketPath: join(sockets, 'w'), spiffeId: SPIFFE_IDS.worker, ...own },
      { socketPath: join(base, 'r'), spiffeId: SPIFFE_IDS.registry },
    ],
  });
  for (const statement of createAnnouncementUser('announce_1', 'announce')) await database.admin.query(statement);
  await vault.root.kv().write(KV_PATHS.workerKafka, { username: 'announce_1', password: 'announce' });
  registry = await startService('service-registry', {
    SPIFFE_ENDPOINT_SOCKET: `unix://${join(base, 'r')}`,
    GRPC_PORT: '0',
    METRICS_PORT: '0',
    MANAGEMENT_PORT: '0',
  });
  if (separated) {
    launcher = await startAttemptLauncher({
      socketPath: join(ownFolder('launch', 'private'), 'l'),
      workerUid: WORKER_UID,
      uids: ATTEMPT_UIDS,
      programs: defaultPrograms({ typescript: typescriptFolder() }),
      workspaces: join(base, 'workspaces'),
      guards: compiledGuards(),
    });
  }
  copyFileSync(vault.authority.caFile, join(base, 'ca.pem'));
});

afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  await launcher?.close();
  await registry?.stop();
  await vault?.stop();
  await database?.stop();
});

async function startWorker(agentId: string, data: string): Promise<ServiceProcess> {
  const { host, port, database: name } = database.superuser;
  const worker = await startService(
    'worker-agents',
    {
      AGENT_ID: agentId,
      SPIFFE_ENDPOINT_SOCKET: `unix://${join(base, 'id', 'w')}`,
      VAULT_ADDRESS: vault.authority.address,
      VAULT_CA_BUNDLE: join(base, 'ca.pem'),
      VAULT_AUTH_METHOD: 'jwt',
      POSTGRES_HOST: String(host),
      POSTGRES_PORT: String(port),
      POSTGRES_DATABASE: String(name),
      SERVICE_REGISTRY_PORT: String(registry.ready.port ?? registry.ready.grpcPort),
      HEARTBEAT_INTERVAL_SECONDS: '0.2',
      WORKER_DATA_FOLDER: data,
      VAULT_LEASE_JOURNAL_PATH: join(data, 'leases'),
      METRICS_PORT: '0',
      MANAGEMENT_PORT: '0',
      ...(separated ? { ATTEMPT_LAUNCHER_SOCKET: join(base, 'launch', 'l') } : {}),
    },
    { uid: separated ? WORKER_UID : undefined },
  );
  workers.push(worker);
  return worker;
}

type Published = Partial<ExecutionTicket> & Pick<ExecutionTicket, 'task_type' | 'ticket_id'>;

async function execute(
  ticket: Published,
): Promise<Record<string, unknown> & { result: { output: Record<string, string> } }> {
  await database.publish(ticketOf(ticket));
  await expect.poll(() => database.result(ticket.ticket_id), { timeout: 60_000 }).toBeDefined();
  return (await database.result(ticket.ticket_id)) as never;
}

describe('the worker as a service', () => {
  test('builds, tests, queries, deploys and undoes, and leaves nothing behind', async () => {
    const data = ownFolder('data');
    const worker = await startWorker('agent-1', data);
    expect(worker.ready).toMatchObject({ agentId: 'agent-1', uidSeparation: separated });
    const http = async (path: string) => fetch(`http://127.0.0.1:${worker.ready.metrics}${path}`);
    const ready = await http('/ready');
    expect(await ready.json()).toMatchObject({ ok: true, security: 'healthy', registered: true });
    expect(await (await http('/health')).json()).toMatchObject({
      ok: true,
      state: 'healthy',
      breaker: 'closed',
      leases: { active: 1, failing: 0 },
      svids: { x509: 'healthy', jwt: 'healthy' },
    });
    expect(ready.status).toBe(200);

    const program = { program: 'tsc-build', project: 'release-app' };
    const built = await execute({ ticket_id: 's.build', task_type: 'BUILD', parameters: program });
    expect(built).toMatchObject({ status: 'COMPLETED', agent_id: 'agent-1', spiffe_id: SPIFFE_IDS.worker });
    const { output } = built.result;
    const metadata = { 'dependency.build.artifact': output.artifact ?? '' };

    const tested = await execute({
      ticket_id: 's.test',
      task_type: 'TEST',
      parameters: { program: 'node-test', project: 'release-app', artifact_from: 'build' },
      metadata,
    });
    expect(tested.result.output).toMatchObject({ passed: '5', failed: '0' });

    const queried = await execute({
      ticket_id: 's.query',
      task_type: 'QUERY',
      parameters: {
        statement:
          'select session_user::text as login, release_id from releases.history right join (select 1) s on true',
      },
      metadata: { security_level: 'CONFIDENTIAL' },
    });
    expect(queried).toMatchObject({ output_reference: 'worker/results/s.query', result: { output: {}, logs: [] } });
    const { data: kept } = await vault.root.kv().read<{ output: { rows: string } }>(KV_PATHS.workerResult('s.query'));
    expect(kept.output.rows).toMatch(/v-.*worker-q/);

    const deployed = await execute({
      ticket_id: 's.deploy',
      task_type: 'DEPLOY',
      parameters: { target: 'app', artifact_from: 'build' },
      metadata,
    });
    const current = join(data, 'releases', 'app', 'current', 'version.mjs');
    expect(readFileSync(current, 'utf8')).toContain('1.4.0');
    const smoke = { program: 'release-smoke', project: 'release-app', target: 'app' };
    const failed = await execute({
      ticket_id: 's.smoke',
      task_type: 'TEST',
      parameters: { ...smoke, expect: '2.0.0' },
    });
    expect(failed).toMatchObject({ status: 'FAILED', error_class: 'execution', result: { output: { failed: '1' } } });

    const undone = await execute({
      ticket_id: 's.undo',
      task_type: 'COMPENSATE',
      compensates: { ticket_id: 's.deploy', task_type: 'DEPLOY', output: deployed.result.output },
    });
    expect(undone.result.output.release).toBe('switched');

    const metrics = await (await http('/metrics')).text();
    expect(metrics).toMatch(/worker_agent_tickets_completed_total\{task_type="BUILD"\} 1/);
    expect(metrics).toMatch(/worker_agent_tickets_failed_total\{task_type="TEST",error_type="execution"\} 1/);
    expect(metrics).toMatch(/^credential_ttl_seconds\{credential="database\/[^"]+"\} \d/m);
    expect(metrics).toMatch(/^vault_lease_ttl_seconds\{state="active"\} \d/m);
    expect(worker.log()).not.toContain('release-app');

    expect(readdirSync(join(data, 'leases'))).toHaveLength(1);
    expect(await worker.stop()).toBe(0);
    expect(readdirSync(join(data, 'leases'))).toEqual([]);
    const { rows } = await database.admin.query("select rolname from pg_roles where rolname ~ '^v-'");
    expect(rows).toEqual([]);
    const sessions = await database.admin.query("select 1 from pg_stat_activity where application_name ~ '^worker'");
    expect(sessions.rows).toEqual([]);
    if (separated) for (const uid of ATTEMPT_UIDS) expect(processesOfUid(uid)).toEqual([]);
  });

  test('hands back on SIGTERM what it cannot finish, and another worker finishes it', async () => {
    const first = await startWorker('agent-1', ownFolder('first'));
    const statement = 'select pg_sleep(60)';
    await database.publish(ticketOf({ ticket_id: 's.slow', task_type: 'QUERY', parameters: { statement } }));
    const state = async () =>
      (await database.admin.query("select state, agent from tickets.ticket where ticket_id = 's.slow'")).rows[0];
    await expect.poll(state, { timeout: 60_000 }).toEqual({ state: 'claimed', agent: 'agent-1' });
    const stopped = first.stop();
    await expect.poll(state, { timeout: 60_000 }).toMatchObject({ state: 'queued' });
    expect(await stopped).toBe(0);
    await database.admin.query(
      `update tickets.ticket set payload = jsonb_set(payload, '{parameters,statement}', '"select 1"') where ticket_id = 's.slow'`,
    );
    const second = await startWorker('agent-2', ownFolder('second'));
    await expect.poll(() => database.result('s.slow'), { timeout: 60_000 }).toMatchObject({ agent_id: 'agent-2' });
    expect(await second.stop()).toBe(0);
  });

  test('a wrong configuration is one line for each problem', () => {
    const main = join(repository, 'services/worker-agents/dist/main.js');
    const env = { VAULT_FAIL_OPEN: 'true' };
    const run = () => execFileSync(process.execPath, [main], { env, stdio: 'pipe', encoding: 'utf8' });
    expect(run).toThrow(
      expect.objectContaining({
        status: 3,
        stderr: expect.stringMatching(
          /worker-agents: POSTGRES_HOST: is required[^\n]*\nworker-agents: VAULT_FAIL_OPEN: is refused/,
        ),
      }),
    );
  });
});
