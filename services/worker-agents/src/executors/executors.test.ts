import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionTicket } from '@neural-hive/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ArtifactStore } from '../adapters/filesystem/artifact-store.ts';
import { ReleaseStore } from '../adapters/filesystem/release-store.ts';
import { DirectRunner } from '../attempts/direct-runner.ts';
import { defaultPrograms, programCatalogue } from '../attempts/program-catalogue.ts';
import type { Executor } from '../domain/executor.ts';
import { failureOf, type TicketFailure } from '../domain/failure.ts';
import { compiledGuards, openFolder, typescriptFolder } from '../testing/guards.ts';
import { executionOf, ticketOf } from '../testing/tickets.ts';
import { buildExecutor } from './build.ts';
import { compensateExecutor } from './compensate.ts';
import { deployExecutor } from './deploy.ts';
import { testExecutor } from './test.ts';

const base = openFolder('executors');
const projects = fileURLToPath(new URL('../../../../examples/projects', import.meta.url));
const programs = {
  ...defaultPrograms({ typescript: typescriptFolder() }),
  ...programCatalogue.parse({
    silent: { task_types: ['TEST'], command: process.execPath, args: ['-e', ''] },
    linked: {
      task_types: ['BUILD'],
      command: process.execPath,
      args: ['-e', 'require("node:fs").symlinkSync(process.env.PRIVATE, "out")'],
      env: { PRIVATE: join(base, 'private') },
      product: 'out/product',
    },
    plain: {
      task_types: ['BUILD'],
      command: process.execPath,
      args: ['-e', 'require("node:fs").cpSync("src", "out/product", { recursive: true })'],
      product: 'out/product',
    },
    'no-binary': { task_types: ['BUILD'], command: '/nowhere/compiler', args: [] },
    slow: { task_types: ['BUILD'], command: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'] },
  }),
};

let runner: DirectRunner;
let releases: ReleaseStore;
let executors: Record<'BUILD' | 'TEST' | 'DEPLOY' | 'COMPENSATE', Executor>;

beforeAll(async () => {
  const artifacts = await ArtifactStore.open(join(base, 'artifacts'));
  releases = await ReleaseStore.open(join(base, 'releases'), artifacts);
  runner = DirectRunner.open({ programs, workspaces: join(base, 'work'), watchdog: compiledGuards().watchdog });
  executors = {
    BUILD: buildExecutor({ runner, programs, projects, artifacts }),
    TEST: testExecutor({ runner, programs, projects, artifacts, releases }),
    DEPLOY: deployExecutor({ releases }),
    COMPENSATE: compensateExecutor({ runner, programs, projects, artifacts, releases }),
  };
});

afterAll(() => runner?.close());

function run(type: keyof typeof executors, parameters: Record<string, string>, more: Partial<ExecutionTicket> = {}) {
  const ticket = ticketOf({ task_type: type, parameters, ...more });
  return executors[type].execute(executionOf(ticket));
}

test('a product below a link, which leads to what only the worker can read, is none', async () => {
  mkdirSync(join(base, 'private', 'product'), { recursive: true });
  writeFileSync(join(base, 'private', 'product', 'key'), 'secret');
  expect((await run('BUILD', { program: 'plain', project: 'release-app' })).output.artifact).toMatch(/^[0-9a-f]{64}$/);
  expect(await failure(run('BUILD', { program: 'linked', project: 'release-app' }))).toMatchObject({
    code: 'execution',
    message: 'The program made no product folder',
  });
});

async function failure(running: Promise<unknown>): Promise<TicketFailure> {
  const error = await running.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Error);
  return failureOf(error);
}

const BUILD = { program: 'tsc-build', project: 'release-app' };

test('a project is built, tested, deployed, checked and undone', async () => {
  const built = await run('BUILD', BUILD, { ticket_id: 'b' });
  const artifact = built.output.artifact ?? '';
  expect(artifact).toMatch(/^[0-9a-f]{64}$/);
  const again = await run('BUILD', BUILD, { ticket_id: 'b2' });
  expect(again.output.artifact).toBe(artifact);

  const metadata = { 'dependency.build.artifact': artifact };
  const node = { program: 'node-test', project: 'release-app', artifact_from: 'build' };
  expect((await run('TEST', node, { metadata })).output).toEqual({ passed: '5', failed: '0', skipped: '0' });

  const smoke = { program: 'release-smoke', project: 'release-app', target: 'app', expect: '1.4.0' };
  expect(await failure(run('TEST', smoke))).toMatchObject({ code: 'execution' });

  const deployed = await run('DEPLOY', { target: 'app', artifact_from: 'build' }, { metadata, ticket_id: 'd' });
  expect(deployed.output).toMatchObject({ target: 'app', previous: '' });
  expect(readFileSync(join(base, 'releases/app/current/version.mjs'), 'utf8')).toContain('1.4.0');
  expect((await run('TEST', smoke)).output).toMatchObject({ passed: '2' });
  const wrong = await failure(run('TEST', { ...smoke, expect: '2.0.0' }));
  expect(wrong).toMatchObject({
    code: 'execution',
    message: '1 of 2 tests failed',
    output: { passed: '1', failed: '1' },
  });

  const undo = (ticket_id: string, task_type: 'BUILD' | 'DEPLOY', output: Readonly<Record<string, string>>) =>
    run('COMPENSATE', {}, { compensates: { ticket_id, task_type, output: { ...output } } });
  expect((await undo('b', 'BUILD', built.output)).output.artifact).toBe('kept');
  expect((await undo('d', 'DEPLOY', deployed.output)).output.release).toBe('switched');
  expect((await undo('d', 'DEPLOY', deployed.output)).output.release).toBe('already');
  expect(await releases.currentFolder('app')).toBeUndefined();
  expect((await undo('b2', 'BUILD', built.output)).output.artifact).toBe('removed');
  expect((await undo('b2', 'BUILD', built.output)).output.artifact).toBe('absent');
});

describe('what is wrong with the parameters is final', () => {
  const cases: [string, 'BUILD' | 'TEST' | 'DEPLOY', Record<string, string>][] = [
    ['a program that is not on the list', 'BUILD', { ...BUILD, program: 'bash' }],
    ['a program for another type', 'BUILD', { ...BUILD, program: 'node-test' }],
    ['a missing parameter', 'BUILD', { program: 'tsc-build' }],
    ['an unknown parameter', 'BUILD', { ...BUILD, command: 'rm' }],
    ['a project that is not there', 'BUILD', { ...BUILD, project: 'nothing' }],
    ['a project outside of the root', 'BUILD', { ...BUILD, project: '../plans' }],
    ['the root itself', 'BUILD', { ...BUILD, project: '.' }],
    ['a value that the program does not take', 'TEST', { program: 'node-test', project: 'release-app', args: '-e 1' }],
    ['an artifact that is no digest', 'DEPLOY', { target: 'app', artifact: '../../etc' }],
    ['an artifact that is not there', 'DEPLOY', { target: 'app', artifact: 'a'.repeat(64) }],
    ['a dependency without an artifact', 'DEPLOY', { target: 'app', artifact_from: 'build' }],
    ['no artifact at all', 'DEPLOY', { target: 'app' }],
    ['a target that is a path', 'DEPLOY', { target: '../x', artifact: 'a'.repeat(64) }],
  ];
  test.each(cases)('%s', async (_, type, parameters) => {
    expect(await failure(run(type, parameters))).toMatchObject({ code: 'parameters' });
  });

  test('a link that leads out of the projects', async () => {
    const root = openFolder('projects');
    mkdirSync(join(root, 'inside'));
    symlinkSync('/etc', join(root, 'outside'));
    const artifacts = await ArtifactStore.open(join(base, 'artifacts'));
    const executor = buildExecutor({ runner, programs, projects: root, artifacts });
    const ticket = ticketOf({ task_type: 'BUILD', parameters: { program: 'tsc-build', project: 'outside' } });
    expect(await failure(executor.execute(executionOf(ticket)))).toMatchObject({ code: 'parameters' });
  });

  test('nothing can be undone but BUILD and DEPLOY', async () => {
    const compensates = { ticket_id: 't', task_type: 'TEST' as const, output: {} };
    expect(await failure(run('COMPENSATE', {}, { compensates }))).toMatchObject({ code: 'parameters' });
  });
});

test('item 35: where what it needs is missing an executor fails, and says so: none pretends', async () => {
  expect(await failure(run('BUILD', { program: 'not-there', project: 'release-app' }))).toMatchObject({
    code: 'parameters',
  });
  expect(await failure(run('BUILD', { program: 'no-binary', project: 'release-app' }))).toMatchObject({
    code: 'execution',
  });
  expect(await failure(run('TEST', { program: 'silent', project: 'release-app' }))).toMatchObject({
    code: 'execution',
  });
  const nowhere = { target: 'production', artifact: 'f'.repeat(64) };
  expect(await failure(run('DEPLOY', nowhere))).toMatchObject({ code: 'parameters' });
  expect(await failure(run('COMPENSATE', {}))).toMatchObject({ code: 'parameters' });
});

test('a build that does not compile fails with what the compiler said', async () => {
  const root = openFolder('broken');
  mkdirSync(join(root, 'broken'));
  writeFileSync(
    join(root, 'broken', 'tsconfig.json'),
    '{"compilerOptions":{"outDir":"dist","types":[]},"include":["*.ts"]}',
  );
  writeFileSync(join(root, 'broken', 'a.ts'), 'export const a: number = "text";');
  const artifacts = await ArtifactStore.open(join(base, 'artifacts'));
  const executor = buildExecutor({ runner, programs, projects: root, artifacts });
  const ticket = ticketOf({ task_type: 'BUILD', parameters: { program: 'tsc-build', project: 'broken' } });
  const found = await failure(executor.execute(executionOf(ticket)));
  expect(found.code).toBe('execution');
  expect(found.logs.join('\n')).toContain('TS2322');
});

test('a test program that reports no test has not passed', async () => {
  const found = await failure(run('TEST', { program: 'silent', project: 'release-app' }));
  expect(found).toMatchObject({ code: 'execution', message: 'The program reported no tests (exit code 0)' });
});

test('a program that takes too long is ended as such', async () => {
  const ticket = ticketOf({ task_type: 'BUILD', parameters: { program: 'slow', project: 'release-app' } });
  const found = await failure(executors.BUILD.execute(executionOf(ticket, { timeoutMs: 300 })));
  expect(found.code).toBe('timeout');
  expect(existsSync(join(projects, 'release-app', 'dist'))).toBe(false);
});
