import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, inject, test } from 'vitest';
import { asOperator } from '../client/operator.ts';
import type { OrchestratorClient, PlanView } from '../client/orchestrator-client.ts';
import { locateHome } from '../platform/home.ts';
import { processStart } from '../platform/processes.ts';
import { attemptProcesses } from './attempt-processes.ts';
import { gatedProject } from './gated-project.ts';
import { AS_ROOT, commandOf, freePortBase, servicePid, within } from './hive-process.ts';
import { build, deploy, planOf, query } from './plans.ts';

const { home: data, supervisor, projects } = inject('platform');
const home = locateHome({ root: AS_ROOT, data });
const more: ChildProcess[] = [];
afterAll(async () => {
  for (const child of more) {
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
  }
});

const worker = (): number => {
  const pid = servicePid(supervisor, 'worker-agents');
  if (pid === undefined) throw new Error('no worker is running');
  return pid;
};

/** The compiler waits at the gate, so the attempt is in the midst of its work. */
const compiling = (): Promise<boolean> =>
  within(10_000, () => attemptProcesses(home).some((pid) => commandOf(pid).includes('lib/tsc')));

async function finished(orchestrator: OrchestratorClient, id: string): Promise<PlanView> {
  await within(20_000, async () => (await orchestrator.show(id)).final);
  return orchestrator.show(id);
}

const ticketOf = ({ tickets }: PlanView, task: string) => tickets.find(({ taskId }) => taskId === task);

/** How often the target was switched for a plan, as the database and the file system know it. */
async function releasesOf(orchestrator: OrchestratorClient, plan: PlanView, target: string) {
  const ask = planOf([query('count')]);
  const statement = `select count(*)::int as n from releases.history where plan_id = '${plan.id}'`;
  await orchestrator.submit({ ...ask, tasks: ask.tasks.map((task) => ({ ...task, parameters: { statement } })) });
  const answer = ticketOf(await finished(orchestrator, ask.plan_id), 'count')?.output.rows ?? '';
  const folder = join(home.worker, 'releases', target);
  return {
    recorded: (JSON.parse(answer) as { n: number }[])[0]?.n,
    kept: readdirSync(join(folder, 'releases')).length,
    current: readlinkSync(join(folder, 'current')).split('/').at(-1),
  };
}

test('a worker killed during BUILD leaves no process, is started again, and another attempt finishes', async () => {
  const project = gatedProject(projects, 'killed');
  await asOperator(data, async ({ orchestrator }) => {
    const plan = planOf([build(project.name), deploy(project.name)]);
    await orchestrator.submit(plan);
    expect(await compiling()).toBe(true);
    const first = attemptProcesses(home);
    expect(first.length).toBeGreaterThanOrEqual(2);
    const firstWorker = ticketOf(await orchestrator.show(plan.plan_id), 'build')?.worker;
    const killed = worker();
    process.kill(killed, 'SIGKILL');
    expect(await within(2_000, () => first.every((pid) => processStart(pid) === undefined))).toBe(true);
    expect(await within(10_000, () => ![undefined, killed].includes(servicePid(supervisor, 'worker-agents')))).toBe(
      true,
    );

    expect(await compiling()).toBe(true);
    project.letGo();
    const ended = await finished(orchestrator, plan.plan_id);
    expect(ended.status).toBe('COMPLETED');
    expect(ticketOf(ended, 'build')).toMatchObject({ status: 'COMPLETED' });
    expect(ticketOf(ended, 'build')?.worker).not.toBe(firstWorker);
    expect(ticketOf(ended, 'deploy')).toMatchObject({ status: 'COMPLETED' });
    const release = ticketOf(ended, 'deploy')?.output.release;
    expect(await releasesOf(orchestrator, ended, project.name)).toEqual({ recorded: 1, kept: 1, current: release });
  });
});

test('the late result of an attempt that was given up is not taken, and the release is switched once', async () => {
  const project = gatedProject(projects, 'late');
  await asOperator(data, async ({ orchestrator }) => {
    const plan = planOf([build(project.name), deploy(project.name)]);
    await orchestrator.submit(plan);
    expect(await compiling()).toBe(true);
    const late = worker();
    const firstWorker = ticketOf(await orchestrator.show(plan.plan_id), 'build')?.worker;
    process.kill(late, 'SIGSTOP');
    let ended: PlanView;
    try {
      project.open();
      await anotherWorker(late);
      ended = await finished(orchestrator, plan.plan_id);
      expect(ended.status).toBe('COMPLETED');
      // The first attempt's product is made after that of the second was released.
      project.letGo();
    } finally {
      process.kill(late, 'SIGCONT');
    }
    expect(await within(5_000, () => attemptProcesses(home).length === 0)).toBe(true);
    const afterwards = await orchestrator.show(plan.plan_id);
    expect(afterwards).toEqual(ended);
    expect(ticketOf(afterwards, 'build')).toMatchObject({ status: 'COMPLETED' });
    expect(ticketOf(afterwards, 'build')?.worker).not.toBe(firstWorker);
    const release = ticketOf(ended, 'deploy')?.output.release;
    expect(await releasesOf(orchestrator, ended, project.name)).toEqual({ recorded: 1, kept: 1, current: release });
  });
});

/** A second worker beside the platform's, told what that one was told. */
async function anotherWorker(like: number): Promise<void> {
  const entries = readFileSync(`/proc/${like}/environ`, 'utf8')
    .split('\0')
    .filter((entry) => entry !== '');
  const env = Object.fromEntries(
    entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
  const base = await freePortBase();
  const { uid, gid } = statSync(`/proc/${like}`);
  const [node = '', program = ''] = commandOf(like).split(' ');
  const child = spawn(node, [program], {
    cwd: home.worker,
    env: { ...env, AGENT_ID: 'second', MANAGEMENT_PORT: String(base), METRICS_PORT: String(base + 1) },
    stdio: ['pipe', 'pipe', 'ignore'],
    uid,
    gid,
  });
  more.push(child);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
}
