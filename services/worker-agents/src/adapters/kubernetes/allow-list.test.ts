import { expect, test } from 'vitest';
import { isAllowedImage, kubernetesAllowList } from './allow-list.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const deployment = {
  container: 'main',
  images: ['registry.test:5000/app'],
  manifest: {
    metadata: { name: 'web', namespace: 'apps' },
    spec: { selector: {}, template: { spec: { containers: [{ name: 'main' }] } } },
  },
};
const job = {
  namespace: 'apps',
  service_account: 'tool',
  image: `registry.test/tool@${DIGEST}`,
  limits: { cpu: '1', memory: '64Mi' },
};

const problemsOf = (list: unknown): string[] =>
  kubernetesAllowList.safeParse(list).error?.issues.map(({ path }) => path.join('.')) ?? [];

test('a list says Deployments and jobs, and may say nothing', () => {
  expect(problemsOf({})).toEqual([]);
  expect(problemsOf({ deployments: { web: deployment }, jobs: { tool: job } })).toEqual([]);
});

test.each([
  ['a container that is not in the manifest', { deployments: { web: { ...deployment, container: 'x' } } }, 'container'],
  ['no image', { deployments: { web: { ...deployment, images: [] } } }, 'images'],
  ['an image of a job by its tag', { jobs: { tool: { ...job, image: 'registry.test/tool:v1' } } }, 'image'],
  ['a job without limits', { jobs: { tool: { ...job, limits: undefined } } }, 'limits'],
  ['a job of root', { jobs: { tool: { ...job, run_as_user: 0 } } }, 'run_as_user'],
  ['an undo that is not there', { jobs: { tool: { ...job, undo: 'gone' } } }, 'undo'],
])('%s is told', (_name, list, field) => {
  expect(problemsOf(list)).toEqual([expect.stringContaining(field)]);
});

const allowed = (tags?: string) => {
  const { deployments } = kubernetesAllowList.parse({ deployments: { web: { ...deployment, ...(tags && { tags }) } } });
  return (image: string) => isAllowedImage(deployments.web ?? expect.unreachable(), image);
};

test('an image is named by digest, and by a tag only where the list has one for it', () => {
  const byDigest = allowed();
  expect(byDigest(`registry.test:5000/app@${DIGEST}`)).toBe(true);
  expect(byDigest('registry.test:5000/app:v1')).toBe(false);
  const byTag = allowed('v[0-9]+');
  expect([byTag('registry.test:5000/app:v1'), byTag(`registry.test:5000/app:v1@${DIGEST}`)]).toEqual([true, true]);
  expect([byTag('registry.test:5000/app:latest'), byTag('registry.test:5000/app:v1@sha256:1')]).toEqual([false, false]);
});

test.each([
  'registry.test:5000/app',
  `registry.test:5000/apple@${DIGEST}`,
  `evil/registry.test:5000/app@${DIGEST}`,
  '',
])('the image "%s" is none of the list', (image) => {
  expect(allowed('.*')(image)).toBe(false);
});
