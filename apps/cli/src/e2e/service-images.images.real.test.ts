import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { KV_PATHS, SCHEMAS, SPIFFE_IDS } from '@neural-hive/contracts';
import { DevAuthority } from '@neural-hive/dev-authority';
import { type EmbeddedPostgres, startPostgres } from '@neural-hive/embedded-postgres';
import { runMigrations } from '@neural-hive/orchestrator-dynamic';
import { type BuiltImage, buildImage, installNodes, machineNpm } from '@neural-hive/real-stack';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import {
  applyVaultSetup,
  createAnnouncementUser,
  databaseBootstrap,
  EMBEDDED_LIFETIMES,
  platformSetup,
} from '@neural-hive/vault-setup';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const repository = fileURLToPath(new URL('../../../..', import.meta.url));
const SERVICES = ['service-registry', 'orchestrator-dynamic', 'worker-agents'] as const;
type Service = (typeof SERVICES)[number];

const base = mkdtempSync(join(tmpdir(), 'nh-images-'));
chmodSync(base, 0o755);
const root = process.getuid?.() === 0;

let node: string;
let postgres: EmbeddedPostgres;
let admin: pg.Client;
let authority: DevAuthority;
const images = new Map<Service, BuiltImage>();
const running: ChildProcess[] = [];

/** The user of the image, whom only root can become. */
const userOf = ({ user }: BuiltImage): { uid?: number; gid?: number } => (root && user !== undefined ? user : {});

beforeAll(async () => {
  node = process.env.IMAGE_NODE ?? (await installNodes())['24'] ?? expect.unreachable('there is no Node 24');
  for (const service of SERVICES) {
    const dockerfile = `services/${service}/Dockerfile`;
    const image = await buildImage({
      root: repository,
      dockerfile,
      folder: join(base, 'build'),
      node,
      npm: machineNpm(),
    });
    seal(image.tree);
    images.set(service, image);
  }
  // Its folder may not be for everybody.
  copyFileSync(node, join(base, 'node'));
  chmodSync(join(base, 'node'), 0o755);
  await startAuthority();
}, 1_800_000);

afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await admin?.end();
  await authority?.close();
  await postgres?.stop();
  // A hundred thousand files: the programs take a tenth of the time that Node does.
  execFileSync('chmod', ['-R', 'u+w', base]);
  execFileSync('rm', ['-rf', base]);
}, 600_000);

/** Nobody may write there. */
function seal(tree: string): void {
  execFileSync('chmod', ['-R', 'a-w,a+rX', tree]);
}

/** Database and authority as the platform has them, with a socket for each of the images. */
async function startAuthority(): Promise<void> {
  postgres = await startPostgres({ database: 'neural_hive' });
  const { socketFolder: host, port, database, superuser } = postgres;
  admin = new pg.Client({ host, port, database, ...superuser });
  await admin.connect();
  const { vaultAdmin } = await databaseBootstrap(admin);
  for (const schema of SCHEMAS) await runMigrations(admin, schema);
  for (const statement of createAnnouncementUser('announce_1', 'announce')) await admin.query(statement);
  const ids = {
    'service-registry': SPIFFE_IDS.registry,
    'orchestrator-dynamic': SPIFFE_IDS.orchestrator,
    'worker-agents': SPIFFE_IDS.worker,
  };
  const workloads = SERVICES.map((service) => {
    const { uid, gid } = userOf(imageOf(service));
    const folder = ownFolder(`${service}-id`, imageOf(service));
    return {
      socketPath: join(folder, 's'),
      spiffeId: ids[service],
      ...(uid !== undefined && gid !== undefined && { uid, gid }),
    };
  });
  authority = await DevAuthority.open({ stateFolder: join(base, 'authority'), workloads });
  const { address, caPem: ca, rootToken } = authority;
  const vault = await VaultClient.open({ address, ca, auth: tokenAuth({ token: rootToken }) });
  const url = `host=${host} port=${port} dbname=${database} user={{username}} password={{password}}`;
  await applyVaultSetup(
    vault,
    platformSetup({
      lifetimes: EMBEDDED_LIFETIMES,
      jwt: { provider: 'spiffe' },
      postgres: { url, username: vaultAdmin.username, password: vaultAdmin.password?.reveal() ?? '' },
    }),
  );
  for (const path of [KV_PATHS.workerKafka, KV_PATHS.orchestratorKafka]) {
    await vault.kv().write(path, { username: 'announce_1', password: 'announce' });
  }
  await vault.close();
  copyFileSync(authority.caFile, join(base, 'ca.pem'));
  chmodSync(join(base, 'ca.pem'), 0o644);
}

function imageOf(service: Service): BuiltImage {
  return images.get(service) ?? expect.unreachable(`there is no image of ${service}`);
}

/** What a volume would be: the one place where the service may write. */
function ownFolder(name: string, image: BuiltImage): string {
  const folder = join(base, name);
  mkdirSync(folder, { mode: 0o700 });
  const { uid, gid } = userOf(image);
  if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid);
  return folder;
}

/** A path of the image on this machine. */
function placed(image: BuiltImage, word: string): string {
  if (word === 'node') return join(base, 'node');
  return word.startsWith(`${image.workdir}/`) ? join(image.tree, word) : word;
}

interface Started {
  readonly ready: Readonly<Record<string, unknown>>;
  stop(): Promise<number | null>;
}

async function start(service: Service, env: Readonly<Record<string, string>>): Promise<Started> {
  const image = imageOf(service);
  const [program = '', ...args] = image.entrypoint.map((word) => placed(image, word));
  const child = spawn(program, args, {
    cwd: join(image.tree, image.workdir),
    env: {
      ...image.env,
      ENVIRONMENT: 'development',
      SPIFFE_ENDPOINT_SOCKET: `unix://${join(base, `${service}-id`, 's')}`,
      METRICS_PORT: '0',
      MANAGEMENT_PORT: '0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...userOf(image),
  });
  running.push(child);
  let logged = '';
  child.stderr.on('data', (chunk: Buffer) => {
    logged += chunk.toString();
  });
  const ready = await new Promise<Record<string, unknown>>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{"ready":')) resolve(JSON.parse(line) as Record<string, unknown>);
      else logged += `${line}\n`;
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${service} ended with ${code}: ${logged.slice(-4_000)}`)));
  });
  return {
    ready,
    stop: async () => {
      const ended = once(child, 'exit') as Promise<[number | null]>;
      child.kill('SIGTERM');
      return (await ended)[0];
    },
  };
}

/** Every path below a folder, with what would change if somebody wrote there. */
function listing(tree: string): string[] {
  return readdirSync(tree, { recursive: true, withFileTypes: true }).map((entry) => {
    const path = join(entry.parentPath, entry.name);
    const { size, mtimeMs } = lstatSync(path);
    return `${path} ${size} ${mtimeMs}`;
  });
}

const statusOf = async (port: unknown, path: string): Promise<number> =>
  (await fetch(`http://127.0.0.1:${String(port)}${path}`)).status;

describe.each(SERVICES)('the image of %s', (service) => {
  test('holds what its bill lists, and nothing else', () => {
    const { tree, workdir } = imageOf(service);
    const bill = JSON.parse(
      execFileSync(process.execPath, [join(repository, 'tools/sbom.mjs'), service], { encoding: 'utf8' }),
    ) as {
      components: { group?: string; name: string; version: string }[];
    };
    const listed = bill.components.map(
      ({ group, name, version }) => `${group === undefined ? '' : `${group}/`}${name}@${version}`,
    );
    const found = readdirSync(join(tree, workdir), { recursive: true, encoding: 'utf8' })
      .filter((path) =>
        /(^|\/)node_modules\/(@[^/]+\/)?[^/@.][^/]*\/package\.json$|^(libraries)\/[^/]+\/package\.json$/.test(path),
      )
      .map((path) => JSON.parse(readFileSync(join(tree, workdir, path), 'utf8')) as { name: string; version: string })
      .map(({ name, version }) => `${name}@${version}`);
    const own = `@neural-hive/${service}@`;
    expect([...new Set(found)].filter((name) => !name.startsWith(own)).sort()).toEqual([...new Set(listed)].sort());
    expect(listed.some((name) => /^(vitest|@biomejs|rolldown)/.test(name))).toBe(false);
  });

  test('is of nobody’s but root’s to write to, and runs as somebody else', () => {
    const image = imageOf(service);
    expect(image).toMatchObject({ base: 'node:24-bookworm-slim', user: { uid: 65_532, gid: 65_532 } });
    const own = ownFolder(`${service}-probe`, image);
    const write = (folder: string) =>
      spawnSync(
        join(base, 'node'),
        ['-e', "require('node:fs').writeFileSync(process.argv[1] + '/probe', '')", folder],
        userOf(image),
      );
    expect(write(own).status).toBe(0);
    for (const folder of ['.', 'node_modules', `services/${service}/dist`]) {
      const { status, stderr } = write(join(image.tree, image.workdir, folder));
      expect([status, String(stderr)]).toEqual([1, expect.stringContaining('EACCES')]);
    }
  });
});

test('the three services start from their images, are healthy and ready, do their work, and end when they are told to', async () => {
  const before = SERVICES.map((service) => listing(imageOf(service).tree));
  const vault = (service: Service) => ({
    VAULT_ADDRESS: authority.address,
    VAULT_CA_BUNDLE: join(base, 'ca.pem'),
    VAULT_AUTH_METHOD: 'jwt',
    VAULT_KUBERNETES_ROLE: service,
    POSTGRES_HOST: postgres.socketFolder,
    POSTGRES_PORT: String(postgres.port),
    POSTGRES_DATABASE: postgres.database,
  });
  const registry = await start('service-registry', { GRPC_PORT: '0' });
  const place = {
    SERVICE_REGISTRY_HOST: '127.0.0.1',
    SERVICE_REGISTRY_PORT: String(registry.ready.grpcPort),
  };
  const orchestrator = await start('orchestrator-dynamic', {
    ...vault('orchestrator-dynamic'),
    ...place,
    HTTP_PORT: '0',
  });
  const projects = join(base, 'projects');
  cpSync(join(repository, 'examples/projects'), projects, { recursive: true });
  const worker = await start('worker-agents', {
    ...vault('worker-agents'),
    ...place,
    WORKER_DATA_FOLDER: ownFolder('worker-data', imageOf('worker-agents')),
    WORKER_PROJECTS_FOLDER: projects,
  });
  for (const { ready } of [registry, orchestrator, worker]) {
    const port = ready.metricsPort ?? ready.metrics;
    await expect.poll(() => statusOf(port, '/ready'), { timeout: 60_000 }).toBe(200);
    expect(await statusOf(port, '/health')).toBe(200);
  }
  // The compiler, the watchdog and the shell of the image.
  await admin.query('select tickets.publish(0, 1, $1)', [JSON.stringify(buildTicket())]);
  const result = async () =>
    (await admin.query("select result from tickets.result where ticket_id = 'plan.build'")).rows[0]?.result as unknown;
  await expect.poll(result, { timeout: 120_000 }).toMatchObject({ status: 'COMPLETED', error_message: null });
  for (const service of [worker, orchestrator, registry]) expect(await service.stop()).toBe(0);
  expect(SERVICES.map((service) => listing(imageOf(service).tree))).toEqual(before);
}, 300_000);

function buildTicket(): object {
  return {
    ticket_id: 'plan.build',
    plan_id: 'plan',
    intent_id: 'intent',
    decision_id: 'decision',
    task_id: 'build',
    task_type: 'BUILD',
    description: '',
    priority: 'NORMAL',
    risk_band: 'low',
    sla: { deadline: Date.now() + 600_000, timeout_ms: 60_000, max_retries: 0 },
    qos: { delivery_mode: 'AT_LEAST_ONCE', consistency: 'EVENTUAL', durability: 'PERSISTENT' },
    parameters: { program: 'tsc-build', project: 'release-app' },
    security_level: 'INTERNAL',
    created_at: Date.now(),
  };
}
