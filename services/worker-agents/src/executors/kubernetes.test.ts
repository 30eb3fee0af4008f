import { join } from 'node:path';
import type { ExecutionTicket } from '@neural-hive/contracts';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { ArtifactStore } from '../adapters/filesystem/artifact-store.ts';
import { ReleaseStore } from '../adapters/filesystem/release-store.ts';
import type { KubernetesDeployments } from '../adapters/kubernetes/kubernetes-deployments.ts';
import type { KubernetesJobs } from '../adapters/kubernetes/kubernetes-jobs.ts';
import type { AttemptRunner } from '../attempts/attempt-runner.ts';
import type { Executor } from '../domain/executor.ts';
import { openFolder } from '../testing/guards.ts';
import { executionOf, ticketOf } from '../testing/tickets.ts';
import { compensateExecutor } from './compensate.ts';
import { deployExecutor } from './deploy.ts';
import { executeExecutor } from './execute.ts';

const IMAGE = `registry.test/web@sha256:${'a'.repeat(64)}`;
const base = openFolder('kubernetes-executors');

let calls: unknown[];
let said: string | undefined;

/** They record what they are asked for; the real ones are tested against a real API server. */
const deployments = {
  deploy: async ({ signal: _, ...request }) => {
    calls.push(request);
    return { previous: 'registry.test/web:v1', name: 'apps/web' };
  },
  undo: async ({ signal: _, ...request }) => {
    calls.push(request);
    return 'switched';
  },
} satisfies Pick<KubernetesDeployments, 'deploy' | 'undo'> as unknown as KubernetesDeployments;
const jobs = {
  run: async ({ signal: _, ...request }) => {
    calls.push(request);
    return { name: 'apps/hive-1', exitCode: 0, stdout: said };
  },
  undoOf: (job) => (job === 'report' ? 'unreport' : undefined),
  isUndo: (job) => job === 'unreport',
} satisfies Pick<KubernetesJobs, 'run' | 'undoOf' | 'isUndo'> as unknown as KubernetesJobs;

let executors: Record<'EXECUTE' | 'DEPLOY' | 'COMPENSATE', Executor>;
let without: typeof executors;

beforeAll(async () => {
  const artifacts = await ArtifactStore.open(join(base, 'artifacts'));
  const releases = await ReleaseStore.open(join(base, 'releases'), artifacts);
  const places = { runner: {} as AttemptRunner, programs: {}, projects: base, artifacts };
  const make = (cluster: { deployments?: KubernetesDeployments; jobs?: KubernetesJobs }): typeof executors => ({
    EXECUTE: executeExecutor({ ...places, ...cluster }),
    DEPLOY: deployExecutor({ releases, ...cluster }),
    COMPENSATE: compensateExecutor({ ...places, releases, ...cluster }),
  });
  executors = make({ deployments, jobs });
  without = make({});
});
beforeEach(() => {
  calls = [];
  said = 'first\nsecond\n';
});

function run(
  type: keyof typeof executors,
  parameters: Record<string, string>,
  { more, by = executors }: { more?: Partial<ExecutionTicket>; by?: typeof executors } = {},
) {
  return by[type].execute(executionOf(ticketOf({ task_type: type, parameters, ...more }), { fencing: 7 }));
}

const compensates = (task_type: 'DEPLOY' | 'EXECUTE', output: Record<string, string>): Partial<ExecutionTicket> => ({
  compensates: { ticket_id: 'plan-1.done', task_type, output },
});

test('DEPLOY of an image goes to the cluster, and its output says what undoing needs', async () => {
  const { output, neededToUndo } = await run('DEPLOY', { target: 'web', image: IMAGE });
  expect(calls).toEqual([{ target: 'web', image: IMAGE, ticketId: 'plan-1.task-1', fencing: 7, timeoutMs: 20_000 }]);
  expect(output).toEqual({ target: 'web', image: IMAGE, deployment: 'apps/web', previous: 'registry.test/web:v1' });
  const kept = Object.fromEntries((neededToUndo ?? []).map((name) => [name, output[name] ?? '']));
  const undone = await run('COMPENSATE', {}, { more: compensates('DEPLOY', kept) });
  expect(undone.output).toEqual({ undone: 'plan-1.done', target: 'web', release: 'switched' });
  expect(calls.at(-1)).toEqual({ target: 'web', ticketId: 'plan-1.done', fencing: 7, timeoutMs: 20_000 });
});

test('EXECUTE of a job says what that said, and is undone by the job that the list has for it', async () => {
  const { output, neededToUndo, logs, metadata } = await run('EXECUTE', { job: 'report', day: '1' });
  expect(calls).toEqual([
    { job: 'report', values: { day: '1' }, ticketId: 'plan-1.task-1', retryCount: 0, fencing: 7, timeoutMs: 20_000 },
  ]);
  expect(output).toMatchObject({ exit_code: '0', stdout: 'first\nsecond\n' });
  expect([logs, metadata?.stdout]).toEqual([['first', 'second'], 'read']);
  const kept = Object.fromEntries((neededToUndo ?? []).map((name) => [name, output[name] ?? '']));
  const undone = await run('COMPENSATE', {}, { more: compensates('EXECUTE', kept) });
  expect(undone.output).toEqual({ undone: 'plan-1.done', program: 'unreport' });
  expect(calls.at(-1)).toMatchObject({ job: 'unreport', values: { day: '1' }, fencing: 7 });
});

test('a job whose pod cannot be heard is told as such', async () => {
  said = undefined;
  const { output, metadata } = await run('EXECUTE', { job: 'other' });
  expect(output).toEqual({ exit_code: '0' });
  expect(metadata?.stdout).toBe('unavailable');
});

test('nothing can be undone by what undoes nothing', async () => {
  const undo = JSON.stringify({ job: 'report', values: {} });
  await expect(run('COMPENSATE', {}, { more: compensates('EXECUTE', { undo }) })).rejects.toMatchObject({
    code: 'parameters',
  });
  expect(calls).toEqual([]);
});

test.each([
  ['DEPLOY', { target: 'web', image: IMAGE }, {}],
  ['EXECUTE', { job: 'report' }, {}],
  ['COMPENSATE', {}, compensates('DEPLOY', { target: 'web', image: IMAGE })],
  ['COMPENSATE', {}, compensates('EXECUTE', { undo: '{"job":"unreport","values":{}}' })],
] as const)('%s of %o is refused by a worker without a cluster', async (type, parameters, more) => {
  await expect(run(type, parameters, { more, by: without })).rejects.toMatchObject({ code: 'parameters' });
});

test('a deployment of an image and of an artifact at once is refused', async () => {
  const both = { target: 'web', image: IMAGE, artifact: 'a'.repeat(64) };
  await expect(run('DEPLOY', both)).rejects.toMatchObject({ code: 'parameters' });
  expect(calls).toEqual([]);
});
