import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DATABASE_ROLES } from '@neural-hive/contracts';
import { expect, inject, test } from 'vitest';
import { asOperator } from '../client/operator.ts';
import type { OrchestratorClient, ProgressLine } from '../client/orchestrator-client.ts';
import { locateHome } from '../platform/home.ts';
import { countOpenLeases } from '../platform/leftovers.ts';
import { AS_ROOT, servicePid, within } from './hive-process.ts';
import { build, deploy, planOf, query } from './plans.ts';

const { home: data, supervisor } = inject('platform');
const home = locateHome({ root: AS_ROOT, data });

const orchestratorPid = (): number | undefined => servicePid(supervisor, 'orchestrator-dynamic');

/** Kills it and waits until another one answers. */
async function killOrchestrator(orchestrator: OrchestratorClient): Promise<void> {
  const killed = orchestratorPid();
  if (killed === undefined) throw new Error('no orchestrator is running');
  process.kill(killed, 'SIGKILL');
  const answers = (): Promise<boolean> => orchestrator.show(plan.plan_id).then(Boolean, () => false);
  expect(await within(15_000, answers)).toBe(true);
  expect(orchestratorPid()).not.toBe(killed);
}

/** One word for a step of the plan or of a ticket. */
const stepOf = (line: ProgressLine): string =>
  line.type === 'plan' ? `plan ${line.status}` : `${line.taskId} ${line.step} ${line.status}`;

const TARGET = 'unkilled';
const plan = planOf([build('release-app'), deploy(TARGET)]);

test('an orchestrator killed after each step of a plan goes on where it was, and nothing is done twice', {
  timeout: 240_000,
}, async () => {
  await asOperator(data, async ({ orchestrator }) => {
    await orchestrator.submit(plan);
    const steps: string[] = [];
    let kills = 0;
    for await (const line of orchestrator.progress(plan.plan_id)) {
      steps.push(stepOf(line));
      if (line.type === 'plan' && line.final) break;
      await killOrchestrator(orchestrator);
      kills += 1;
    }
    expect(kills).toBeGreaterThanOrEqual(5);
    expect(new Set(steps).size).toBe(steps.length);

    const ended = await orchestrator.show(plan.plan_id);
    expect(ended.status).toBe('COMPLETED');
    expect(ended.tickets.map(({ taskId, status, attempt }) => `${taskId} ${status} ${attempt}`)).toEqual([
      'build COMPLETED 1',
      'deploy COMPLETED 1',
    ]);
    expect(readdirSync(join(home.worker, 'releases', TARGET, 'releases'))).toHaveLength(1);

    // Each start has given back what the killed process before it had leased.
    const leased = `database/creds/${DATABASE_ROLES.orchestrator}`;
    const open = (): number => countOpenLeases(join(home.authority, 'audit.log'), leased);
    // A rotation that is due just now has two for a moment.
    expect(await within(30_000, () => open() === 1)).toBe(true);

    const count = planOf([
      {
        ...query('count'),
        parameters: { statement: `select count(*)::int as n from releases.history where plan_id = '${plan.plan_id}'` },
      },
    ]);
    await orchestrator.submit(count);
    for await (const line of orchestrator.progress(count.plan_id)) if (line.type === 'plan' && line.final) break;
    expect((await orchestrator.show(count.plan_id)).tickets[0]?.output.rows).toBe('[{"n":1}]');
  });
});
