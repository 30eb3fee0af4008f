import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ArtifactStore } from './adapters/filesystem/artifact-store.ts';
import { takeLock } from './adapters/filesystem/process-lock.ts';
import { startAttemptLauncher } from './attempts/attempt-launcher.ts';
import { programCatalogue } from './attempts/program-catalogue.ts';
import { startTicketDatabase, type TicketDatabase } from './testing/database.ts';
import { compiled, compiledGuards, openFolder } from './testing/guards.ts';
import { isAlive, processesOfUid } from './testing/processes.ts';
import { ticketOf } from './testing/tickets.ts';

const WORKER_UID = 62_410;
const ATTEMPT_UIDS = [62_411, 62_412];
const root = process.getuid?.() === 0;
const packageFolder = fileURLToPath(new URL('..', import.meta.url));

let database: TicketDatabase;
let built: string;
const processes = new Set<ChildProcess>();

beforeAll(async () => {
  // The libraries that the process imports are found as they are built.
  execFileSync(process.execPath, [join(packageFolder, '../../tools/build.mjs'), packageFolder]);
  mkdirSync(join(packageFolder, '.cache'), { recursive: true });
  built = mkdtempSync(join(packageFolder, '.cache', 'worker-'));
  chmodSync(built, 0o755);
  const sources = readdirSync(join(packageFolder, 'src'), { recursive: true, encoding: 'utf8' });
  compiled(
    sources.filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.endsWith('main.ts')),
    built,
  );
  database = await startTicketDatabase();
});

afterEach(() => {
  for (const child of processes) child.kill('SIGKILL');
  processes.clear();
});

afterAll(async () => {
  await database?.stop();
  if (built !== undefined) rmSync(built, { recursive: true, force: true });
});

interface Place {
  readonly folder: string;
  readonly projects: string;
  readonly notes: string;
  readonly launcherSocket?: string;
  /** The worker's; without it it runs as we do. */
  readonly uid?: number;
}

function place(): Place {
  const folder = openFolder('killed');
  const projects = join(folder, 'projects');
  mkdirSync(join(projects, 'app'), { recursive: true });
  writeFileSync(join(projects, 'app', 'source.txt'), 'source');
  const notes = join(folder, 'notes');
  mkdirSync(notes);
  chmodSync(notes, 0o777);
  return { folder, projects, notes };
}

/** Hangs with descendants of every kind the first time, and makes its product the second time. */
const BUILD = `
  const fs = require('node:fs'), { spawn } = require('node:child_process');
  const [, notes] = process.argv;
  if (fs.existsSync(notes + '/pids')) { fs.mkdirSync('dist'); fs.writeFileSync('dist/app.js', 'built'); process.exit(0); }
  const sleeper = "setInterval(() => {}, 1000)";
  const grandchild = "require('node:child_process').spawn(process.execPath, ['-e', '" + sleeper + "'], { detached: true, stdio: 'inherit' }).unref(); " + sleeper;
  const near = spawn(process.execPath, ['-e', sleeper]);
  const far = spawn(process.execPath, ['-e', grandchild], { detached: true, stdio: 'ignore' });
  setTimeout(() => {
    const children = fs.readFileSync('/proc/' + far.pid + '/task/' + far.pid + '/children', 'utf8').trim().split(' ').map(Number);
    fs.writeFileSync(notes + '/pids.partial', JSON.stringify([process.pid, near.pid, far.pid, ...children]));
    fs.renameSync(notes + '/pids.partial', notes + '/pids');
  }, 400);
  setInterval(() => {}, 1000);`;

const programsFor = ({ notes }: Place) =>
  programCatalogue.parse({
    build: { task_types: ['BUILD'], command: process.execPath, args: ['-e', BUILD, notes], env: {} },
  });

/** Whether other users can cross the folders of the clone. */
function reachableByAll(path: string): boolean {
  for (let folder = path; ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

async function startWorker(agentId: string, where: Place): Promise<ChildProcess> {
  const { folder, projects, launcherSocket } = where;
  const order = { agentId, database: database.worker, folder, projects, programs: programsFor(where), launcherSocket };
  const child = spawn(process.execPath, [join(built, 'testing', 'worker-process.js')], {
    env: { ORDER: JSON.stringify(order) },
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(where.uid === undefined ? {} : { uid: where.uid, gid: where.uid }),
  });
  processes.add(child);
  await once(child.stdout, 'data');
  return child;
}

const result = (ticketId: string) => expect.poll(() => database.result(ticketId), { timeout: 15_000 });

async function tokenOf(ticketId: string): Promise<number> {
  const { rows } = await database.admin.query('select fencing_token from tickets.ticket where ticket_id = $1', [
    ticketId,
  ]);
  return Number(rows[0]?.fencing_token);
}

async function killDuringBuild(ticketId: string, where: Place): Promise<void> {
  const first = await startWorker('agent-1', where);
  const parameters = { program: 'build', project: 'app' };
  await database.publish(ticketOf({ ticket_id: ticketId, task_type: 'BUILD', parameters }));
  await expect.poll(() => existsSync(join(where.notes, 'pids')), { timeout: 15_000 }).toBe(true);
  const pids = JSON.parse(readFileSync(join(where.notes, 'pids'), 'utf8')) as number[];
  expect(pids.length).toBe(4);
  expect(pids.map(isAlive)).toEqual([true, true, true, true]);
  const oldToken = await tokenOf(ticketId);
  const gone = once(first, 'exit');
  first.kill('SIGKILL');
  await gone;
  await expect.poll(() => pids.some(isAlive), { timeout: 2_000, interval: 20 }).toBe(false);

  await startWorker('agent-2', where);
  await result(ticketId).toMatchObject({ status: 'COMPLETED', agent_id: 'agent-2' });
  const late = await database.admin.query('select tickets.finish($1, $2, $3) as taken', [ticketId, oldToken, '{}']);
  expect(late.rows).toEqual([{ taken: false }]);
}

describe.runIf(process.platform === 'linux')('a worker that is killed during BUILD', () => {
  test('item 37: leaves no descendant after 2 s, and another worker finishes', async () => {
    await killDuringBuild('killed.direct', place());
  });

  test.runIf(root)('leaves no process of the attempt’s uid when attempts run under uids of their own', async () => {
    const where = place();
    const sockets = join(where.folder, 's');
    mkdirSync(sockets, { mode: 0o700 });
    chownSync(sockets, WORKER_UID, WORKER_UID);
    const launcherSocket = join(sockets, 'l');
    const launcher = await startAttemptLauncher({
      socketPath: launcherSocket,
      workerUid: WORKER_UID,
      uids: ATTEMPT_UIDS,
      programs: programsFor(where),
      workspaces: join(where.folder, 'workspaces'),
      guards: compiledGuards(),
    });
    // The worker reads the product of a uid that is not its own, and has to be able to.
    const uid = reachableByAll(packageFolder) ? WORKER_UID : undefined;
    if (uid !== undefined) chownSync(where.folder, uid, uid);
    await killDuringBuild('killed.launcher', { ...where, launcherSocket, ...(uid && { uid }) });
    await launcher.close();
    for (const uid of ATTEMPT_UIDS) expect(processesOfUid(uid)).toEqual([]);
  });
});

test('a worker that was frozen during DEPLOY can neither switch the release nor have its result taken', async () => {
  const where = place();
  const product = join(where.folder, 'product');
  mkdirSync(product);
  writeFileSync(join(product, 'app.js'), 'app');
  const signal = new AbortController().signal;
  const artifacts = await ArtifactStore.open(join(where.folder, 'artifacts'));
  const { digest: artifact } = await artifacts.store(product, 'build', { signal });
  const target = join(where.folder, 'releases', 'app');
  mkdirSync(join(target, 'releases'), { recursive: true });

  // The first attempt waits for the target's lock when it is frozen.
  const lock = await takeLock(join(target, '.lock'), { signal });
  const first = await startWorker('agent-1', where);
  await database.publish(
    ticketOf({ ticket_id: 'frozen', task_type: 'DEPLOY', parameters: { target: 'app', artifact } }),
  );
  const drafts = () => readdirSync(target).some((name) => name.startsWith('.lock.draft-'));
  await expect.poll(drafts, { timeout: 10_000, interval: 1 }).toBe(true);
  const oldToken = await tokenOf('frozen');
  first.kill('SIGSTOP');
  lock.release();

  await startWorker('agent-2', where);
  await result('frozen').toMatchObject({ status: 'COMPLETED', agent_id: 'agent-2' });
  const newToken = await tokenOf('frozen');
  expect(newToken).toBeGreaterThan(oldToken);
  let said = '';
  first.stdout?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  first.kill('SIGCONT');
  // Its heartbeat or its late attempt at the target ends it; either way it goes back to asking for tickets.
  const follow = {
    ticket_id: 'follow',
    task_type: 'DEPLOY' as const,
    parameters: { target: 'app', artifact: 'a'.repeat(64) },
  };
  await database.publish(ticketOf(follow));
  await result('follow').toMatchObject({ status: 'FAILED' });
  await expect
    .poll(() => readdirSync(target).filter((name) => name.startsWith('.lock')), { timeout: 5_000 })
    .toEqual([]);
  expect(readlinkSync(join(target, 'current'))).toBe(`releases/${artifact}-${newToken}`);
  expect(readdirSync(join(target, 'releases'))).toEqual([`${artifact}-${newToken}`]);
  const { rows } = await database.admin.query(
    "select fencing_token::int as token from tickets.result where ticket_id = 'frozen'",
  );
  expect(rows).toEqual([{ token: newToken }]);
  expect(said).not.toContain('"outcome":"completed"');
});
