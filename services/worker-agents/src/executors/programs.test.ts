import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionTicket } from '@neural-hive/contracts';
import { Secret } from '@neural-hive/security/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ArtifactStore } from '../adapters/filesystem/artifact-store.ts';
import { ReleaseStore } from '../adapters/filesystem/release-store.ts';
import { DirectRunner } from '../attempts/direct-runner.ts';
import { defaultPrograms, programCatalogue } from '../attempts/program-catalogue.ts';
import type { Execution, Executor } from '../domain/executor.ts';
import { failureOf, type TicketFailure } from '../domain/failure.ts';
import { compiledGuards, openFolder, typescriptFolder } from '../testing/guards.ts';
import { executionOf, ticketOf } from '../testing/tickets.ts';
import { compensateExecutor } from './compensate.ts';
import { executeExecutor } from './execute.ts';
import { testExecutor } from './test.ts';
import { transformExecutor } from './transform.ts';

const base = openFolder('programs');
const projects = join(base, 'projects');
const ledger = join(base, 'ledger');
mkdirSync(join(projects, 'app'), { recursive: true });
writeFileSync(join(projects, 'app', 'file.txt'), 'of the project');

const node = (script: string, more: object = {}) => ({
  task_types: ['EXECUTE'],
  command: process.execPath,
  args: ['--input-type=module', '--eval', script],
  ...more,
});
const READ = "import { readFileSync } from 'node:fs';";

const programs = {
  ...defaultPrograms({ typescript: typescriptFolder() }),
  ...programCatalogue.parse({
    say: node('console.log(...process.argv.slice(1))', {
      args: ['--input-type=module', '--eval', 'console.log(...process.argv.slice(1))', '{word}'],
      placeholders: { word: '[a-z]+' },
    }),
    'read-file': node(`${READ} process.stdout.write(readFileSync('file.txt'))`),
    'read-input': node(`${READ} process.stdout.write(readFileSync(0, 'utf8').toUpperCase())`, {
      task_types: ['EXECUTE', 'TRANSFORM'],
    }),
    refuse: node("console.log('partly'); process.exitCode = 3;"),
    secretive: node(
      `${READ} const own = JSON.parse(readFileSync(Number(process.env.HIVE_CREDENTIALS_FD), 'utf8'));
       const seen = [...process.argv, ...Object.values(process.env), ...readFileSync('/proc/self/cmdline', 'utf8').split('\\0')];
       console.log(Object.keys(own).join(), own.token.length, seen.some((text) => text.includes(own.token)), own.token);`,
      { credentials: ['token'] },
    ),
    computing: node('for (;;);', { limits: { cpu_seconds: 1 } }),
    // A loop that never waits would stop writing for good once the buffer between it and a slow reader is full.
    talkative: node("const say = () => process.stdout.write('x'.repeat(1000), say); say();", {
      limits: { output_bytes: 100_000 },
    }),
    hungry: node('const all = []; for (;;) all.push(Buffer.alloc(1024 * 1024, 1));', {
      limits: { memory_bytes: 512 * 1024 * 1024 },
    }),
    writing: node(`import { writeFileSync } from 'node:fs'; writeFileSync('big', Buffer.alloc(3_000_000));`, {
      limits: { file_bytes: 1_000_000 },
    }),
    long: node("process.stdout.write('x'.repeat(70_000))", { task_types: ['TRANSFORM'] }),
    note: node(`import { appendFileSync } from 'node:fs'; appendFileSync(${JSON.stringify(ledger)}, '+');`, {
      undo: 'un-note',
    }),
    'un-note': node(`import { appendFileSync } from 'node:fs'; appendFileSync(${JSON.stringify(ledger)}, '-');`),
    'junit-test': node(
      `import { writeFileSync } from 'node:fs';
       writeFileSync('r.xml', '<testsuite><testcase/><testcase/><testcase><skipped/></testcase></testsuite>');`,
      { task_types: ['TEST'], report: { format: 'junit', file: 'r.xml' } },
    ),
    'tap-test': {
      task_types: ['TEST'],
      command: '/bin/sh',
      args: ['-c', 'echo 1..2; echo ok 1; echo not ok 2; exit 1'],
    },
  }),
};

let runner: DirectRunner;
let executors: Record<'EXECUTE' | 'TRANSFORM' | 'COMPENSATE' | 'TEST', Executor>;

beforeAll(async () => {
  const artifacts = await ArtifactStore.open(join(base, 'artifacts'));
  const releases = await ReleaseStore.open(join(base, 'releases'), artifacts);
  runner = DirectRunner.open({ programs, workspaces: join(base, 'work'), watchdog: compiledGuards().watchdog });
  const places = { projects, artifacts };
  executors = {
    EXECUTE: executeExecutor({ runner, programs, ...places }),
    TRANSFORM: transformExecutor({ runner, programs }),
    COMPENSATE: compensateExecutor({ runner, programs, ...places, releases }),
    TEST: testExecutor({ runner, programs, ...places, releases }),
  };
});
afterAll(() => runner?.close());

function run(
  type: keyof typeof executors,
  parameters: Record<string, string>,
  more: Partial<ExecutionTicket> = {},
  execution: Partial<Execution> = {},
) {
  return executors[type].execute(executionOf(ticketOf({ task_type: type, parameters, ...more }), execution));
}

async function failure(running: Promise<unknown>): Promise<TicketFailure> {
  const error = await running.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Error);
  return failureOf(error);
}

describe('EXECUTE', () => {
  test('runs a program of the list with the values that it takes, and says what that said', async () => {
    const { output } = await run('EXECUTE', { program: 'say', word: 'hello' });
    expect(output).toEqual({ exit_code: '0', stdout: 'hello\n' });
  });

  test('runs it on a copy of a project', async () => {
    expect((await run('EXECUTE', { program: 'read-file', project: 'app' })).output.stdout).toBe('of the project');
  });

  test('gives it a text to read, of its own or of a dependency', async () => {
    expect((await run('EXECUTE', { program: 'read-input', input: 'abc' })).output.stdout).toBe('ABC');
    const metadata = { 'dependency.query.rows': 'def' };
    const from = await run('EXECUTE', { program: 'read-input', input_from: 'query.rows' }, { metadata });
    expect(from.output.stdout).toBe('DEF');
  });

  test('fails with what the program said when that ends with another code than 0', async () => {
    expect(await failure(run('EXECUTE', { program: 'refuse' }))).toMatchObject({
      code: 'execution',
      output: { exit_code: '3', stdout: 'partly\n' },
    });
  });

  const wrong: [string, Record<string, string>][] = [
    ['a program that is not on the list', { program: 'bash' }],
    ['a program for another type', { program: 'node-test' }],
    ['a value that does not fit', { program: 'say', word: 'a b' }],
    ['a value that the program does not take', { program: 'refuse', word: 'a' }],
    ['an input twice', { program: 'read-input', input: 'a', input_from: 'query.rows' }],
    ['an input that no dependency came to', { program: 'read-input', input_from: 'query.rows' }],
    ['a project outside of the root', { program: 'read-file', project: '..' }],
  ];
  test.each(wrong)('refuses %s', async (_name, parameters) => {
    expect(await failure(run('EXECUTE', parameters))).toMatchObject({ code: 'parameters' });
  });
});

describe('credentials', () => {
  const stored = { token: 'hvs.only-for-this-attempt', other: 'not-for-this-program' };
  const credentials = async () => new Secret(stored);

  test('come to the program by a file descriptor, those that it may have, and what it says of them is hidden', async () => {
    const { output, logs } = await run('EXECUTE', { program: 'secretive' }, {}, { credentials });
    expect(output.stdout).toBe(`token ${stored.token.length} false [secret]\n`);
    expect(JSON.stringify([output, logs])).not.toContain(stored.token);
  });

  test('that Vault does not hold fail the attempt, which may be tried again', async () => {
    expect(await failure(run('EXECUTE', { program: 'secretive' }))).toMatchObject({
      code: 'backend',
      message: expect.stringContaining('token'),
    });
  });

  test('are not even read for a program that takes none', async () => {
    const untouched = async () => Promise.reject(new Error('read'));
    const { output } = await run('EXECUTE', { program: 'say', word: 'a' }, {}, { credentials: untouched });
    expect(output.exit_code).toBe('0');
  });
});

describe('a program that takes more than it may', () => {
  test('of computing is ended, and not tried again', async () => {
    expect(await failure(run('EXECUTE', { program: 'computing' }))).toMatchObject({
      code: 'execution',
      message: 'The program used up its 1 s of computing',
    });
  });

  test('of output is ended', async () => {
    expect(await failure(run('EXECUTE', { program: 'talkative' }))).toMatchObject({
      code: 'execution',
      message: expect.stringContaining('said more than 100000 bytes'),
    });
  });

  test('of memory does not get it', async () => {
    expect(['crash', 'execution']).toContain((await failure(run('EXECUTE', { program: 'hungry' }))).code);
  });

  test('of a file does not get it', async () => {
    const { code, logs } = await failure(run('EXECUTE', { program: 'writing' }));
    expect(code).toBe('execution');
    expect(logs.join('\n')).toContain('EFBIG');
  });
});

describe('TRANSFORM', () => {
  test('makes a text of another', async () => {
    expect((await run('TRANSFORM', { program: 'read-input', input: 'abc' })).output).toEqual({ result: 'ABC' });
    const metadata = { 'dependency.query.rows': '[{"released":"3","a/b":{"~":[1,2]}}]' };
    const of = async (pointer: string) =>
      (await run('TRANSFORM', { program: 'json-get', input_from: 'query.rows', pointer }, { metadata })).output.result;
    expect(await of('/0/released')).toBe('3');
    expect(await of('/0/a~1b')).toBe('{"~":[1,2]}');
    expect(await of('/0/a~1b/~0/1')).toBe('2');
  });

  test('fails where the program does, and where its result is longer than one may be', async () => {
    const nothing = run('TRANSFORM', { program: 'json-get', input: '{}', pointer: '/toString' });
    expect(await failure(nothing)).toMatchObject({ code: 'execution', logs: ['there is nothing at /toString'] });
    expect((await failure(run('TRANSFORM', { program: 'long', input: '' }))).message).toContain('longer than');
    expect((await failure(run('TRANSFORM', { program: 'read-input' }))).code).toBe('parameters');
  });
});

describe('COMPENSATE', () => {
  test('undoes an EXECUTE by the program that the list has for it', async () => {
    const done = await run('EXECUTE', { program: 'note' });
    expect(readFileSync(ledger, 'utf8')).toBe('+');
    expect(done.neededToUndo).toEqual(['undo']);
    const compensates = { ticket_id: 'e', task_type: 'EXECUTE' as const, output: { ...done.output } };
    expect((await run('COMPENSATE', {}, { compensates })).output).toMatchObject({ undone: 'e', program: 'un-note' });
    expect(readFileSync(ledger, 'utf8')).toBe('+-');
  });

  test.each([
    ['a program that undoes nothing', '{"program":"note","values":{}}'],
    ['no order', 'un-note'],
  ])('refuses %s', async (_name, undo) => {
    const compensates = { ticket_id: 'e', task_type: 'EXECUTE' as const, output: { undo } };
    expect(await failure(run('COMPENSATE', {}, { compensates }))).toMatchObject({ code: 'parameters' });
  });
});

test('TEST reads JUnit and TAP of whatever program', async () => {
  expect((await run('TEST', { program: 'junit-test', project: 'app' })).output).toEqual({
    passed: '2',
    failed: '0',
    skipped: '1',
  });
  expect(await failure(run('TEST', { program: 'tap-test', project: 'app' }))).toMatchObject({
    code: 'execution',
    output: { passed: '1', failed: '1' },
  });
  expect(existsSync(join(projects, 'app', 'r.xml'))).toBe(false);
});
