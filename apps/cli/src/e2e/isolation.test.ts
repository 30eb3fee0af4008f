import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { asOperator } from '../client/operator.ts';
import { workloadSocket } from '../platform/authority.ts';
import { locateHome } from '../platform/home.ts';
import { launcherSocket } from '../platform/services.ts';
import { AS_ROOT, type ServiceName, servicePid } from './hive-process.ts';
import { planOf } from './plans.ts';

const { home: data, supervisor, projects, output } = inject('platform');
const home = locateHome({ root: AS_ROOT, data });

/** What an attempt tries, by the names under which it is reported. */
interface Targets {
  readonly files: Record<string, string>;
  readonly sockets: Record<string, string>;
  readonly folders: Record<string, string>;
}

/** Runs inside the attempt: tries everything and says what it got. */
const PROBE = `
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { closeSync, openSync, readFileSync, readdirSync, readSync } from 'node:fs';
const { files, sockets, folders } = JSON.parse(readFileSync(new URL('../targets.json', import.meta.url), 'utf8'));
// What it says has to be among the last lines of the log.
Error.stackTraceLimit = 0;
const opened = [];
for (const [name, path] of Object.entries(files)) {
  try { const file = openSync(path, 'r'); readSync(file, Buffer.alloc(1)); closeSync(file); opened.push(name); } catch {}
}
for (const [name, path] of Object.entries(folders)) {
  try { readdirSync(path); opened.push(name); } catch {}
}
for (const [name, path] of Object.entries(sockets)) {
  const open = await new Promise((resolve) => {
    const socket = connect(path, () => { socket.destroy(); resolve(true); });
    socket.once('error', () => resolve(false));
  });
  if (open) opened.push(name);
}
test('uid ' + process.getuid() + ' opened [' + opened.sort().join(', ') + ']', () => assert.fail('so that it is reported'));
`;

async function probe(targets: Targets): Promise<{ uid: number; opened: string[] }> {
  const name = 'probe';
  const folder = join(projects, name);
  mkdirSync(join(folder, 'test'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(join(folder, 'targets.json'), JSON.stringify(targets));
  writeFileSync(join(folder, 'test', 'probe.test.mjs'), PROBE);
  for (const path of [folder, join(folder, 'test')]) chmodSync(path, 0o755);
  const plan = planOf([{ task_id: 'probe', task_type: 'TEST', parameters: { program: 'node-test', project: name } }]);
  return asOperator(data, async ({ orchestrator }) => {
    await orchestrator.submit(plan);
    for await (const line of orchestrator.progress(plan.plan_id)) if (line.type === 'plan' && line.final) break;
    const report = JSON.stringify((await orchestrator.show(plan.plan_id)).tickets);
    const said = /uid (\d+) opened \[([^\]]*)\]/.exec(report);
    if (said === null) throw new Error(`the probe said nothing: ${report}`);
    return { uid: Number(said[1]), opened: (said[2] ?? '').split(', ').filter((item) => item !== '') };
  });
}

const SERVICES: readonly ServiceName[] = ['dev-authority', 'orchestrator-dynamic', 'worker-agents', 'service-registry'];
const pidOf = (name: ServiceName): number => servicePid(supervisor, name) ?? -1;

async function opensNothing(): Promise<void> {
  // Owned by a service, and readable for nobody else.
  const secret = join(home.registry, 'secret');
  writeFileSync(secret, 'secret', { mode: 0o600 });
  const open = join(projects, 'open.txt');
  writeFileSync(open, 'open', { mode: 0o644 });
  const files: Record<string, string> = {
    'a file that is open to all': open,
    'a private file': secret,
    'the key of the authority': join(home.authority, 'state.key'),
    'the state of the authority': join(home.authority, 'state.sealed'),
    'the root token': join(home.authority, 'root-token'),
    'the audit log': join(home.authority, 'audit.log'),
    'the journal of the registry': join(home.registry, 'agents.journal'),
    'the state of the platform': home.stateFile,
    'the lock of the supervisor': home.lockFile,
    'a log': join(home.logs, 'worker-agents.log'),
    'the environment of the supervisor': `/proc/${supervisor}/environ`,
    'the memory of the worker': `/proc/${pidOf('worker-agents')}/mem`,
  };
  for (const name of SERVICES) files[`the environment of ${name}`] = `/proc/${pidOf(name)}/environ`;
  const sockets: Record<string, string> = {
    'the socket of the launcher': launcherSocket(home),
    'the control socket': join(home.run, 'control', 'control.sock'),
  };
  for (const name of ['operator', 'orchestrator-dynamic', 'worker-agents', 'service-registry']) {
    sockets[`the identity of ${name}`] = workloadSocket(home, name);
  }
  const folders = { 'the data of PostgreSQL': home.postgres, 'all workspaces': join(data, 'workspaces') };
  for (const path of [...Object.values(files), ...Object.values(sockets), ...Object.values(folders)]) {
    expect(existsSync(path), path).toBe(true);
  }
  const { uid, opened } = await probe({ files, sockets, folders });
  expect(opened).toEqual(['a file that is open to all']);
  for (const name of SERVICES) expect(statSync(`/proc/${pidOf(name)}`).uid).not.toBe(uid);
  expect(uid).not.toBe(0);
}

function ownUids(): void {
  const uids = SERVICES.map((name) =>
    Number(/^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pidOf(name)}/status`, 'utf8'))?.[1]),
  );
  expect(new Set([0, ...uids]).size).toBe(SERVICES.length + 1);
  expect(statSync(join(home.authority, 'root-token')).mode & 0o777).toBe(0o600);
}

if (AS_ROOT) {
  test('an attempt opens no file, socket, key or environment of the platform', opensNothing);
  test('every service has a uid of its own, and nobody else reads the root token', ownUids);
} else {
  test('without root, one line says that the processes are not separated', () => {
    expect(output).toContain('not separated from each other');
  });
}
