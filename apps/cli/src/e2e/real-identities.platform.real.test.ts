import { spawn } from 'node:child_process';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SPIFFE_IDS, WORKLOADS } from '@neural-hive/contracts';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { processStart, processTree } from '../platform/processes.ts';
import { chooseUsers } from '../platform/users.ts';
import { commandOf, RunningHive, type ServiceName, scratchFolder, servicePid, within } from './hive-process.ts';
import { realEnvironment } from './real-servers.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 400_000 });

const SERVICES = {
  'orchestrator-dynamic': SPIFFE_IDS.orchestrator,
  'worker-agents': SPIFFE_IDS.worker,
  'service-registry': SPIFFE_IDS.registry,
} as const satisfies Partial<Record<ServiceName, string>>;
type Service = keyof typeof SERVICES;
const NAMES = Object.keys(SERVICES) as readonly Service[];

const scratch = scratchFolder();
let hive: RunningHive;

beforeAll(async () => {
  hive = await RunningHive.start({
    home: join(scratch.path, 'home'),
    profile: 'real',
    env: { ...realEnvironment(), ORCHESTRATOR_ENGINE: 'postgres' },
  });
});
afterAll(async () => {
  await hive?.end('SIGKILL');
  scratch.remove();
});

const pidOf = (service: Service): number => servicePid(hive.pid, service) ?? -1;
const uidOf = (service: Service): number => statSync(`/proc/${pidOf(service)}`).uid;

/** Asks the agent, as that user, for everything that it gives; answers the SPIFFE IDs, or the code of the refusal. */
async function identitiesOf(uid: number): Promise<readonly string[] | string> {
  const [node = '', program = ''] = commandOf(pidOf('worker-agents')).split(' ');
  const root = program.slice(0, program.indexOf('/services/'));
  const library = pathToFileURL(join(root, 'libraries/security/dist/spiffe/index.js')).href;
  const script = join(scratch.path, 'ask.mjs');
  writeFileSync(
    script,
    `import { WorkloadApiClient } from '${library}';
const client = new WorkloadApiClient({ endpoint: 'unix://${hive.state.operatorSocket}' });
const said = await client.fetchX509Context().then(
  ({ svids }) => svids.map(({ id }) => id.toString()),
  ({ code }) => code,
);
client.close();
console.log(JSON.stringify(said));
`,
  );
  chmodSync(script, 0o644);
  const child = spawn(node, [script], { uid, gid: uid, cwd: '/', env: {}, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) output += chunk;
  return JSON.parse(output) as readonly string[] | string;
}

test('each service has a uid of its own, by which SPIRE gives it exactly one identity, its own', async () => {
  expect(new Set([0, ...NAMES.map(uidOf)]).size).toBe(NAMES.length + 1);
  for (const name of NAMES) expect(await identitiesOf(uidOf(name)), name).toEqual([SERVICES[name]]);
  expect(await identitiesOf(0)).toEqual([SPIFFE_IDS.operator]);
});

test('who is no service gets none: neither an attempt of the worker, nor anybody else', async () => {
  expect(await identitiesOf(uidOf('worker-agents'))).toHaveLength(1);
  const { attempts, authority } = chooseUsers({ root: true, data: hive.home.data });
  for (const uid of [attempts[0] ?? -1, authority, 65_534]) {
    expect(await identitiesOf(uid), String(uid)).toBe('WORKLOAD_API_PERMISSION_DENIED');
  }
});

test('each service finds a token for Vault alone, bound to a pod of its account, in a file that is only its own', () => {
  for (const name of NAMES) {
    const file = join(hive.home.run, 'tokens', name);
    expect({ uid: statSync(file).uid, mode: statSync(file).mode & 0o777 }).toEqual({ uid: uidOf(name), mode: 0o400 });
    const claims = JSON.parse(Buffer.from(readFileSync(file, 'utf8').split('.')[1] ?? '', 'base64url').toString());
    const { namespace, serviceAccount } = WORKLOADS[name];
    expect(claims).toMatchObject({
      iss: 'https://kubernetes.default.svc',
      aud: ['vault.neural-hive.local'],
      sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
      'kubernetes.io': { namespace, pod: { name: serviceAccount } },
    });
  }
});

test('a service that is killed is there again, with a login of its own', async () => {
  const killed = pidOf('service-registry');
  process.kill(killed, 'SIGKILL');
  const { metrics } = hive.state.registry;
  const isReady = async (): Promise<boolean> => {
    if ([killed, -1].includes(pidOf('service-registry'))) return false;
    const answer = await fetch(`http://127.0.0.1:${metrics}/ready`).catch(() => undefined);
    return answer?.status === 200;
  };
  expect(await within(60_000, isReady)).toBe(true);
});

test('no server outlives a supervisor that is killed', async () => {
  const members = processTree(hive.pid).filter((pid) => pid !== hive.pid);
  const started = new Map(members.map((pid) => [pid, processStart(pid)]));
  for (const program of ['bao', 'spire-server', 'spire-agent', 'redis-server', 'etcd', 'kube-apiserver']) {
    expect(
      members.some((pid) => commandOf(pid).includes(program)),
      program,
    ).toBe(true);
  }
  hive.kill('SIGKILL');
  const alive = (): number[] => members.filter((pid) => processStart(pid) === started.get(pid));
  await within(30_000, () => alive().length === 0);
  expect(alive().map(commandOf)).toEqual([]);
});
