import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { TicketFailure } from '../../domain/failure.ts';
import { KubernetesStage, NAMESPACE } from '../../testing/kubernetes-stage.ts';
import type { ImageDeployRequest, KubernetesDeployments } from './kubernetes-deployments.ts';

const LIMIT = { timeout: 120_000 };
const REPOSITORY = 'registry.test/app';
const image = (letter: string): string => `${REPOSITORY}@sha256:${letter.repeat(64)}`;

let stage: KubernetesStage;
beforeAll(async () => {
  stage = await KubernetesStage.open();
}, 300_000);
afterAll(() => stage?.close());

interface Change {
  readonly replicas?: number;
  readonly cpu?: string;
  readonly labels?: Record<string, string>;
  readonly namespace?: string;
  readonly speck?: string;
}

function target(name: string, { replicas = 2, cpu = '10m', labels, namespace = NAMESPACE, ...more }: Change = {}) {
  const app = { app: name };
  const securityContext = {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    runAsNonRoot: true,
    seccompProfile: { type: 'RuntimeDefault' },
  };
  return {
    [name]: {
      container: 'main',
      images: [REPOSITORY],
      tags: 'v[0-9]+',
      manifest: {
        metadata: { name, namespace, ...(labels && { labels }) },
        spec: {
          replicas,
          progressDeadlineSeconds: 5,
          selector: { matchLabels: app },
          template: {
            metadata: { labels: app },
            spec: {
              serviceAccountName: 'app',
              containers: [{ name: 'main', resources: { requests: { cpu } }, securityContext }],
              ...more,
            },
          },
        },
      },
    },
  };
}

const path = (name: string): string => `/apis/apps/v1/namespaces/${NAMESPACE}/deployments/${name}`;

interface Seen {
  readonly metadata: { readonly labels?: Record<string, string>; readonly annotations?: Record<string, string> };
  readonly spec: {
    readonly replicas: number;
    readonly template: { readonly spec: { containers: { image: string }[] } };
  };
  readonly status: Record<string, unknown>;
}

async function seen(name: string) {
  const { metadata, spec, status } = (await stage.object<Seen>(path(name))) ?? {};
  return {
    image: spec?.template.spec.containers[0]?.image,
    replicas: spec?.replicas,
    labels: metadata?.labels,
    fencing: metadata?.annotations?.['neural-hive.local/fencing-token'],
    status,
  };
}

type Facts = Pick<ImageDeployRequest, 'target' | 'image' | 'ticketId' | 'fencing'> & Partial<ImageDeployRequest>;
const request = (facts: Facts): ImageDeployRequest => ({
  timeoutMs: 60_000,
  signal: new AbortController().signal,
  ...facts,
});

async function failure(running: Promise<unknown>): Promise<TicketFailure> {
  const error = await running.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(TicketFailure);
  return error as TicketFailure;
}

test('an image is rolled out, another after it, and each undo brings back what was before', LIMIT, async () => {
  const deployments = stage.deployments(target('web'));
  const facts = { target: 'web', timeoutMs: 60_000, signal: new AbortController().signal };
  const first = await deployments.deploy({ ...facts, image: image('a'), ticketId: 'one', fencing: 1 });
  expect(first).toEqual({ previous: undefined, name: `${NAMESPACE}/web` });
  expect((await seen('web')).status).toMatchObject({ availableReplicas: 2, updatedReplicas: 2 });
  const second = await deployments.deploy({ ...facts, image: `${REPOSITORY}:v2`, ticketId: 'two', fencing: 2 });
  expect(second.previous).toBe(image('a'));
  expect(await seen('web')).toMatchObject({ image: `${REPOSITORY}:v2`, replicas: 2, fencing: '2' });

  expect(await deployments.undo({ ...facts, ticketId: 'two', fencing: 3 })).toBe('switched');
  expect(await seen('web')).toMatchObject({ image: image('a'), replicas: 2 });
  expect(await deployments.undo({ ...facts, ticketId: 'two', fencing: 4 })).toBe('already');
  expect(await seen('web')).toMatchObject({ image: image('a'), replicas: 2 });

  // Nothing was before the first one: nothing runs, and the newest token is still known.
  expect(await deployments.undo({ ...facts, ticketId: 'one', fencing: 5 })).toBe('switched');
  expect(await seen('web')).toMatchObject({ replicas: 0, fencing: '5' });
  const late = deployments.deploy({ ...facts, image: image('b'), ticketId: 'three', fencing: 4 });
  expect(await failure(late)).toMatchObject({ code: 'fenced' });
  expect(await deployments.deploy({ ...facts, image: image('b'), ticketId: 'three', fencing: 6 })).toMatchObject({
    previous: undefined,
  });
  expect(await seen('web')).toMatchObject({ image: image('b'), replicas: 2 });
});

test('a Deployment that was there before goes back to what it was', LIMIT, async () => {
  const { manifest } = target('mine').mine as { manifest: { spec: { template: { spec: { containers: object[] } } } } };
  const created = structuredClone(manifest);
  created.spec.template.spec.containers[0] = {
    ...created.spec.template.spec.containers[0],
    image: 'registry.test/old',
  };
  await stage.cluster.api.create(`/apis/apps/v1/namespaces/${NAMESPACE}/deployments`, created);
  const deployments = stage.deployments(target('mine'));
  const done = await deployments.deploy(request({ target: 'mine', image: image('a'), ticketId: 'one', fencing: 1 }));
  expect(done.previous).toBe('registry.test/old');
  const undone = request({ target: 'mine', image: '', ticketId: 'one', fencing: 2 });
  expect(await deployments.undo(undone)).toBe('switched');
  expect(await seen('mine')).toMatchObject({ image: 'registry.test/old', replicas: 2 });
});

test('a field that the operator no longer asks for goes, also one of the creation', LIMIT, async () => {
  const labelled = stage.deployments(target('owned', { labels: { team: 'a', tier: 'b' } }));
  await labelled.deploy(request({ target: 'owned', image: image('a'), ticketId: 'one', fencing: 1 }));
  expect((await seen('owned')).labels).toEqual({ team: 'a', tier: 'b' });
  const less = stage.deployments(target('owned', { labels: { team: 'a' } }));
  await less.deploy(request({ target: 'owned', image: image('b'), ticketId: 'two', fencing: 2 }));
  expect((await seen('owned')).labels).toEqual({ team: 'a' });
});

test('of attempts that race the one with the newest token stays, whoever comes last', LIMIT, async () => {
  const deployments = stage.deployments(target('raced'));
  const attempts = ['a', 'b', 'c', 'd', 'e'].map((letter, index) =>
    deployments.deploy(request({ target: 'raced', image: image(letter), ticketId: `t-${letter}`, fencing: index + 1 })),
  );
  const ended = await Promise.allSettled(attempts);
  expect(ended.at(-1)?.status).toBe('fulfilled');
  for (const one of ended) {
    if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'fenced' });
  }
  expect(await seen('raced')).toMatchObject({ image: image('e'), fencing: '5' });
});

test('a rollout that does not come up fails, and what was before is current again', LIMIT, async () => {
  const good = stage.deployments(target('broken'));
  await good.deploy(request({ target: 'broken', image: image('a'), ticketId: 'one', fencing: 1 }));
  const bad: KubernetesDeployments = stage.deployments(target('broken', { cpu: '900' }));
  const failed = await failure(
    bad.deploy(request({ target: 'broken', image: image('b'), ticketId: 'two', fencing: 2 })),
  );
  expect(failed).toMatchObject({ code: 'execution', message: expect.stringContaining('progress deadline') });
  expect(await seen('broken')).toMatchObject({ image: image('a') });
});

test(
  'a rollout whose time is over, and one that is cancelled, is taken back; one whose ticket was lost is not',
  LIMIT,
  async () => {
    const good = stage.deployments(target('slow'));
    await good.deploy(request({ target: 'slow', image: image('a'), ticketId: 'one', fencing: 1 }));
    const slow = stage.deployments(target('slow', { cpu: '900' }));
    const late = request({ target: 'slow', image: image('b'), ticketId: 'two', fencing: 2, timeoutMs: 200 });
    expect(await failure(slow.deploy(late))).toMatchObject({ code: 'timeout' });
    expect((await seen('slow')).image).toBe(image('a'));
    for (const [code, left, fencing] of [
      ['cancelled', 'a', 3],
      ['fenced', 'b', 4],
    ] as const) {
      const stop = new AbortController();
      const running = failure(slow.deploy(request({ ...late, fencing, timeoutMs: 60_000, signal: stop.signal })));
      await vi.waitFor(async () => expect((await seen('slow')).image).toBe(image('b')), LIMIT);
      stop.abort(new TicketFailure(code, 'given up'));
      expect(await running).toMatchObject({ code });
      expect((await seen('slow')).image).toBe(image(left));
    }
  },
);

test.each([
  ['another repository', { image: `registry.test/other@sha256:${'a'.repeat(64)}` }],
  ['a repository whose name begins alike', { image: `${REPOSITORY}-evil@sha256:${'a'.repeat(64)}` }],
  ['a tag that is not allowed', { image: `${REPOSITORY}:latest` }],
  ['an image without tag and digest', { image: REPOSITORY }],
  ['a digest that is none', { image: `${REPOSITORY}@sha256:abc` }],
  ['another target', { target: 'other' }],
])('%s is not deployed', async (_name, change) => {
  const deployments = stage.deployments(target('strict'));
  const refused = deployments.deploy(
    request({ target: 'strict', image: image('a'), ticketId: 'one', fencing: 1, ...change }),
  );
  expect(await failure(refused)).toMatchObject({ code: 'parameters' });
  expect(await stage.object(path('strict'))).toBeUndefined();
});

test(
  'a manifest that the API server refuses is final, a namespace where the worker may do nothing is told',
  LIMIT,
  async () => {
    const facts = { target: 'wrong', image: image('a'), ticketId: 'one', fencing: 1 };
    const wrong = stage.deployments(target('wrong', { speck: 'x' }));
    expect(await failure(wrong.deploy(request(facts)))).toMatchObject({
      code: 'parameters',
      message: expect.stringContaining('speck'),
    });
    const elsewhere = stage.deployments(target('wrong', { namespace: 'default' }));
    expect(await failure(elsewhere.deploy(request(facts)))).toMatchObject({
      code: 'backend',
      message: expect.stringMatching(/403.*forbidden/),
    });
  },
);

test('the token is read anew for each call', LIMIT, async () => {
  const deployments = stage.deployments(target('renewed'));
  const facts = { target: 'renewed', image: image('a'), ticketId: 'one', fencing: 1 };
  writeFileSync(stage.tokenFile, 'wrong');
  expect(await failure(deployments.deploy(request(facts)))).toMatchObject({ message: expect.stringContaining('401') });
  await stage.renewToken();
  expect((await deployments.deploy(request(facts))).name).toBe(`${NAMESPACE}/renewed`);
});
