import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { TicketFailure } from '../../domain/failure.ts';
import { KubernetesStage, NAMESPACE } from '../../testing/kubernetes-stage.ts';
import type { JobRequest, KubernetesJobs } from './kubernetes-jobs.ts';

const LIMIT = { timeout: 120_000 };
const IMAGE = `registry.test/tool@sha256:${'a'.repeat(64)}`;
const JOBS = `/apis/batch/v1/namespaces/${NAMESPACE}/jobs`;
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;

interface Job {
  readonly metadata: { readonly name: string; readonly annotations?: Record<string, string> };
  readonly spec: {
    readonly activeDeadlineSeconds: number;
    readonly backoffLimit: number;
    readonly template: {
      readonly spec: {
        readonly serviceAccountName: string;
        readonly automountServiceAccountToken: boolean;
        readonly containers: { readonly image: string; readonly args: string[]; readonly resources: object }[];
      };
    };
  };
}

let stage: KubernetesStage;
let jobs: KubernetesJobs;
beforeAll(async () => {
  stage = await KubernetesStage.open();
  const job = {
    namespace: NAMESPACE,
    service_account: 'app',
    image: IMAGE,
    args: ['--day', '{day}'],
    placeholders: { day: '[0-9]{1,8}' },
    limits: { cpu: '100m', memory: '64Mi' },
  };
  jobs = stage.jobs({
    report: { ...job, undo: 'unreport' },
    unreport: job,
    // No node has so much: its pod waits until a test says how it ended.
    waiting: { ...job, limits: { cpu: '900', memory: '64Mi' } },
    elsewhere: { ...job, namespace: 'default' },
  });
}, 300_000);
afterAll(() => stage?.close());

let tickets = 0;
function request(more: Partial<JobRequest> = {}): JobRequest {
  tickets += 1;
  return {
    job: 'report',
    values: { day: '20260131' },
    ticketId: `plan.t${tickets}`,
    retryCount: 0,
    fencing: 1,
    timeoutMs: 60_000,
    signal: new AbortController().signal,
    ...more,
  };
}

async function failure(running: Promise<unknown>): Promise<TicketFailure> {
  const error = await running.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(TicketFailure);
  return error as TicketFailure;
}

async function jobsOf(ticketId: string): Promise<Job[]> {
  const { items = [] } = (await stage.object<{ items?: Job[] }>(JOBS)) ?? {};
  return items.filter(({ metadata }) => metadata.annotations?.['neural-hive.local/ticket'] === ticketId);
}

/** Tells what a kubelet would tell of the pod of the ticket’s job; answers the job’s name. */
async function endPod(ticketId: string, exitCode: number, ended: ReadonlySet<string> = new Set()): Promise<string> {
  const pod = await vi.waitFor(async () => {
    const job = (await jobsOf(ticketId)).find(({ metadata }) => !ended.has(metadata.name));
    const list = await stage.object<{ items: { metadata: { name: string; labels: Record<string, string> } }[] }>(PODS);
    const found = list?.items.find(
      ({ metadata }) => metadata.labels['batch.kubernetes.io/job-name'] === job?.metadata.name,
    );
    if (job === undefined || found === undefined) throw new Error('there is no pod yet');
    return { name: found.metadata.name, job: job.metadata.name };
  }, LIMIT);
  const terminated = { exitCode, reason: exitCode === 137 ? 'OOMKilled' : 'Error' };
  const status = {
    phase: exitCode === 0 ? 'Succeeded' : 'Failed',
    containerStatuses: [
      { name: 'main', image: IMAGE, imageID: '', ready: false, restartCount: 0, state: { terminated } },
    ],
  };
  const whole = await stage.object<object>(`${PODS}/${pod.name}`);
  const body = { ...whole, status };
  const answered = await stage.cluster.api.call(`${PODS}/${pod.name}/status`, { method: 'PUT', body });
  expect(answered).toMatchObject({ status: 200 });
  return pod.job;
}

test(
  'a job runs once under the account, the image and the limits of the list, with the ticket’s values',
  LIMIT,
  async () => {
    const wanted = request();
    const { name, exitCode } = await jobs.run(wanted);
    expect([name, exitCode]).toEqual([expect.stringMatching(`^${NAMESPACE}/hive-[0-9a-f]{32}$`), 0]);
    const [job, ...more] = await jobsOf(wanted.ticketId);
    expect(more).toEqual([]);
    expect(job?.spec).toMatchObject({ activeDeadlineSeconds: 60, backoffLimit: 0 });
    expect(job?.spec.template.spec).toMatchObject({ serviceAccountName: 'app', automountServiceAccountToken: false });
    const resources = { cpu: '100m', memory: '64Mi', 'ephemeral-storage': '1Gi' };
    expect(job?.spec.template.spec.containers).toMatchObject([
      { image: IMAGE, args: ['--day', '20260131'], resources: { limits: resources } },
    ]);
  },
);

test(
  'a worker that takes over a ticket goes on with the job that runs, and the one before is fenced',
  LIMIT,
  async () => {
    const wanted = request({ job: 'waiting' });
    const first = failure(jobs.run(wanted));
    await vi.waitFor(async () => expect(await jobsOf(wanted.ticketId)).toHaveLength(1), LIMIT);
    const second = jobs.run({ ...wanted, fencing: 2 });
    expect(await first).toMatchObject({ code: 'fenced' });
    await endPod(wanted.ticketId, 0);
    expect((await second).exitCode).toBe(0);
    expect(await jobsOf(wanted.ticketId)).toHaveLength(1);
    // The end is read again by a third, and refused to the first.
    expect((await jobs.run({ ...wanted, fencing: 3 })).exitCode).toBe(0);
    expect(await failure(jobs.run(wanted))).toMatchObject({ code: 'fenced' });
    expect(await jobsOf(wanted.ticketId)).toHaveLength(1);
  },
);

test('a job that fails says how, and a retry has a job of its own', LIMIT, async () => {
  const wanted = request({ job: 'waiting' });
  const first = failure(jobs.run(wanted));
  const ended = await endPod(wanted.ticketId, 3);
  expect(await first).toMatchObject({ code: 'execution', message: expect.stringContaining('exit code 3') });
  const second = failure(jobs.run({ ...wanted, retryCount: 1, fencing: 2 }));
  await endPod(wanted.ticketId, 137, new Set([ended]));
  expect(await second).toMatchObject({ code: 'execution', message: expect.stringContaining('OOMKilled') });
});

test('a job whose time is up is ended by Kubernetes itself', LIMIT, async () => {
  const wanted = request({ job: 'waiting', timeoutMs: 1_000 });
  expect(await failure(jobs.run(wanted))).toMatchObject({ code: 'timeout' });
});

test('a cancelled job is ended, one whose ticket was lost goes on', LIMIT, async () => {
  for (const [code, left] of [
    ['cancelled', 0],
    ['fenced', 1],
  ] as const) {
    const stop = new AbortController();
    const wanted = request({ job: 'waiting', signal: stop.signal });
    const running = failure(jobs.run(wanted));
    await vi.waitFor(async () => expect(await jobsOf(wanted.ticketId)).toHaveLength(1), LIMIT);
    stop.abort(new TicketFailure(code, 'given up'));
    expect(await running).toMatchObject({ code });
    await vi.waitFor(async () => expect(await jobsOf(wanted.ticketId)).toHaveLength(left), LIMIT);
  }
});

test.each([
  ['a job that is not on the list', { job: 'other' }],
  ['a value that does not fit', { values: { day: '--all' } }],
  ['a value that the job does not take', { values: { day: '1', image: 'evil' } }],
  ['a value that is missing', { values: {} }],
])('%s is refused for good, and nothing is made', async (_name, change) => {
  const wanted = request(change);
  expect(await failure(jobs.run(wanted))).toMatchObject({ code: 'parameters' });
  expect(await jobsOf(wanted.ticketId)).toEqual([]);
});

test('a namespace where the worker may do nothing is told', LIMIT, async () => {
  expect(await failure(jobs.run(request({ job: 'elsewhere' })))).toMatchObject({
    code: 'backend',
    message: expect.stringMatching(/403.*forbidden/),
  });
});

test('what undoes a job is on the list', () => {
  expect([jobs.undoOf('report'), jobs.undoOf('unreport')]).toEqual(['unreport', undefined]);
  expect([jobs.isUndo('unreport'), jobs.isUndo('report')]).toEqual([true, false]);
});
