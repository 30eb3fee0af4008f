import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startPostgres } from '@neural-hive/embedded-postgres';
import { afterAll, expect, test } from 'vitest';
import { asOperator } from '../client/operator.ts';
import type { PlanView } from '../client/orchestrator-client.ts';
import { DATABASE } from '../platform/database.ts';
import type { Home } from '../platform/home.ts';
import { countDatabaseLeftovers, countOpenLeases } from '../platform/leftovers.ts';
import { processStart, processTree } from '../platform/processes.ts';
import { attemptProcesses } from './attempt-processes.ts';
import { type GatedProject, gatedProject } from './gated-project.ts';
import { RunningHive, scratchFolder, within } from './hive-process.ts';
import { build, planOf, query } from './plans.ts';
import { projectsFolder } from './shared-platform.ts';

const scratch = scratchFolder();
const projects = projectsFolder(scratch.path);
const data = join(scratch.path, 'home');
const gates: GatedProject[] = [];
afterAll(() => {
  for (const gate of gates) gate.letGo();
  scratch.remove();
});

const start = (): Promise<RunningHive> => RunningHive.start({ home: data, env: { WORKER_PROJECTS_FOLDER: projects } });

/** The supervisor and all below it, each with what tells it from another process of the same pid. */
function family(hive: RunningHive) {
  return processTree(hive.pid).map((pid) => ({ pid, started: processStart(pid) }));
}
const alive = (members: ReturnType<typeof family>): number[] =>
  members.filter(({ pid, started }) => started !== undefined && processStart(pid) === started).map(({ pid }) => pid);

/** A plan whose BUILD waits, so that an attempt is under way. */
async function attemptUnderWay(hive: RunningHive, name: string): Promise<string> {
  const gate = gatedProject(projects, name);
  gates.push(gate);
  const plan = planOf([build(name)]);
  await asOperator(data, ({ orchestrator }) => orchestrator.submit(plan));
  expect(await within(10_000, () => attemptProcesses(hive.home).length >= 2)).toBe(true);
  return plan.plan_id;
}

async function finished(plan: string): Promise<PlanView> {
  return asOperator(data, async ({ orchestrator }) => {
    await within(20_000, async () => (await orchestrator.show(plan)).final);
    return orchestrator.show(plan);
  });
}

/** The state in the control file: 1 is "shut down", 6 "in production". It follows three fields of 8, 4 and 4 bytes. */
function databaseState({ postgres }: Home): number {
  const [folder = ''] = readdirSync(postgres).filter((name) => name.startsWith('postgresql-'));
  return readFileSync(join(postgres, folder, 'global', 'pg_control')).readUInt32LE(16);
}

/** What an ended platform has left, seen with a server of the test's own on its data. */
async function leftInDatabase({ postgres }: Home) {
  const server = await startPostgres({ dataFolder: postgres, database: DATABASE });
  try {
    return await countDatabaseLeftovers(server);
  } finally {
    await server.stop();
  }
}

function sockets(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    lstatSync(join(folder, name)).isSocket(),
  );
}

let hive: RunningHive;
/** The plan that was under way when the supervisor was killed. */
let orphan: string;

test('a supervisor that is killed takes every process with it within 2 s, and PostgreSQL ends cleanly', {
  timeout: 60_000,
}, async () => {
  hive = await start();

  orphan = await attemptUnderWay(hive, 'orphan');
  const members = family(hive);
  const attempts = attemptProcesses(hive.home);
  expect(members.length).toBeGreaterThan(10);
  expect(databaseState(hive.home)).toBe(6);
  // Counted from the kill, not from the end of its output, which a child that lives on could hold open.
  hive.kill('SIGKILL');
  expect(await within(2_000, () => alive(members).length === 0 && attemptProcesses(hive.home).length === 0)).toBe(true);
  expect(attempts.filter((pid) => processStart(pid) !== undefined)).toEqual([]);
  expect(databaseState(hive.home)).toBe(1);
  await hive.end('SIGKILL');
});

test('the next start clears lock, sockets and roles of the killed one, and goes on with its plans', {
  timeout: 60_000,
}, async () => {
  expect(existsSync(hive.home.lockFile)).toBe(true);
  // The authority may or may not have had the time to remove its sockets.
  expect(existsSync(hive.home.run)).toBe(true);
  for (const gate of gates.splice(0)) gate.letGo();
  const killed = hive.home;
  hive = await start();
  expect(hive.home.run).toBe(killed.run);
  expect((await finished(orphan)).status).toBe('COMPLETED');
  const plan = planOf([query('first'), build('release-app')]);
  await asOperator(data, ({ orchestrator }) => orchestrator.submit(plan));
  expect((await finished(plan.plan_id)).status).toBe('COMPLETED');
});

test('Ctrl-C in the midst of a BUILD ends the platform within 10 s and leaves nothing', {
  timeout: 60_000,
}, async () => {
  await attemptUnderWay(hive, 'interrupted');
  const members = family(hive);
  expect(countOpenLeases(join(hive.home.authority, 'audit.log'))).toBeGreaterThan(0);
  const { code, tookMs } = await hive.end('SIGINT');
  expect({ code, output: hive.output }).toMatchObject({ code: 0 });
  expect(tookMs).toBeLessThan(10_000);
  expect({ alive: alive(members), attempts: attemptProcesses(hive.home) }).toEqual({ alive: [], attempts: [] });
  expect(sockets(hive.home.run)).toEqual([]);
  expect(existsSync(hive.home.lockFile)).toBe(false);
  expect(databaseState(hive.home)).toBe(1);
  expect(countOpenLeases(join(hive.home.authority, 'audit.log'))).toBe(0);
  expect(await leftInDatabase(hive.home)).toEqual({ roles: 0, sessions: 0 });
});
