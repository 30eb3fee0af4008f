import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, test } from 'vitest';
import { compiledGuards, openFolder } from '../testing/guards.ts';
import { isAlive, processesBelow, processesOfUid } from '../testing/processes.ts';
import { type AttemptLauncher, startAttemptLauncher } from './attempt-launcher.ts';
import type { AttemptRunner, AttemptSpec } from './attempt-runner.ts';
import { DirectRunner } from './direct-runner.ts';
import { LauncherRunner } from './launcher-runner.ts';
import { programCatalogue } from './program-catalogue.ts';

const WORKER_UID = 62_400;
const ATTEMPT_UIDS = [62_401, 62_402];

const project = openFolder('project');
writeFileSync(join(project, 'package.json'), '{"type":"module"}');

/** Adds a program to the project that all attempts of this file run in. */
function program(name: string, source: string): string {
  writeFileSync(join(project, name), source);
  return name;
}

const programs = programCatalogue.parse({
  script: {
    task_types: ['BUILD'],
    command: process.execPath,
    args: ['{file}', '{value}'],
    placeholders: { file: '[a-z-]+\\.mjs', value: '.*' },
    env: { PATH: process.env.PATH ?? '' },
  },
});

let counter = 0;
function spec(file: string, value = '', more: Partial<AttemptSpec> = {}): AttemptSpec {
  counter += 1;
  return {
    attemptId: `attempt-${process.pid}-${counter}`,
    program: 'script',
    values: { file, value },
    sources: [{ from: project, to: '.' }],
    timeoutMs: 20_000,
    ...more,
  };
}

const never = new AbortController().signal;
const root = process.getuid?.() === 0;

interface Fixture {
  readonly runner: AttemptRunner;
  readonly workspaces: string;
  stop(): Promise<void>;
}

async function direct(): Promise<Fixture> {
  const workspaces = openFolder('direct');
  const runner = DirectRunner.open({ programs, workspaces, watchdog: compiledGuards().watchdog });
  return { runner, workspaces: join(workspaces, `worker-${process.pid}`), stop: () => runner.close() };
}

async function launched(): Promise<Fixture> {
  const base = openFolder('launched');
  const sockets = join(base, 's');
  mkdirSync(sockets, { mode: 0o700 });
  chownSync(sockets, WORKER_UID, WORKER_UID);
  const workspaces = join(base, 'workspaces');
  const socketPath = join(sockets, 'l');
  const launcher: AttemptLauncher = await startAttemptLauncher({
    socketPath,
    workerUid: WORKER_UID,
    uids: ATTEMPT_UIDS,
    programs,
    workspaces,
    guards: compiledGuards(),
  });
  const runner = new LauncherRunner({ socketPath });
  return {
    runner,
    workspaces,
    stop: async () => {
      await runner.close();
      await launcher.close();
    },
  };
}

const adapters: [string, () => Promise<Fixture>][] = [
  ['direct', direct],
  ...(root ? [['launcher', launched] as [string, () => Promise<Fixture>]] : []),
];

describe.each(adapters)('an attempt runner (%s)', (_, open) => {
  const opened = open();
  afterAll(async () => (await opened).stop());

  test('runs the program in a workspace with the project in it, and keeps what it says and makes', async () => {
    const { runner, workspaces } = await opened;
    program(
      'hello.mjs',
      `import { writeFileSync } from 'node:fs';
       writeFileSync('made.txt', process.argv[2]); console.log('out', process.cwd()); console.error('err'); process.exitCode = 3;`,
    );
    const finished = await runner.run(spec('hello.mjs', 'a b; $(c)'), { signal: never });
    expect(finished.exit).toEqual({ code: 3, signal: null, timedOut: false });
    expect(finished.output.lines()).toEqual([`out ${finished.workspace}`, 'err']);
    expect(readFileSync(join(finished.workspace, 'made.txt'), 'utf8')).toBe('a b; $(c)');
    expect(existsSync(join(project, 'made.txt'))).toBe(false);
    await finished.dispose();
    expect(readdirSync(workspaces)).toEqual([]);
  });

  test('gives the program nothing of our environment', async () => {
    const { runner } = await opened;
    process.env.NH_TEST_SECRET = 'leak';
    program('environment.mjs', 'console.log(JSON.stringify(Object.keys(process.env).sort()));');
    const finished = await runner.run(spec('environment.mjs'), { signal: never });
    const names = JSON.parse(finished.output.text('stdout')) as string[];
    expect(names).toEqual(['HIVE_ATTEMPT', 'HOME', 'LANG', 'PATH', 'TMPDIR']);
    await finished.dispose();
  });

  test('kills the program and its descendants at the time limit', async () => {
    const { runner, workspaces } = await opened;
    program('endless.mjs', `console.log('up'); setInterval(() => {}, 1000);`);
    const finished = await runner.run(spec('endless.mjs', '', { timeoutMs: 400 }), { signal: never });
    expect(finished.exit).toMatchObject({ signal: 'SIGKILL', timedOut: true });
    expect(processesBelow(workspaces)).toEqual([]);
    await finished.dispose();
  });

  test('leaves no descendant behind, not even one that has left the session and the process group', async () => {
    const { runner, workspaces } = await opened;
    program(
      'daemon.mjs',
      `import { spawn } from 'node:child_process';
       const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' });
       child.unref(); console.log(child.pid);`,
    );
    const finished = await runner.run(spec('daemon.mjs'), { signal: never });
    expect(finished.exit.code).toBe(0);
    expect(isAlive(Number(finished.output.text('stdout')))).toBe(false);
    expect(processesBelow(workspaces)).toEqual([]);
    await finished.dispose();
  });

  test('an aborted attempt rejects with the reason once all of it is dead', async () => {
    const { runner, workspaces } = await opened;
    program('endless.mjs', `console.log('up'); setInterval(() => {}, 1000);`);
    const abort = new AbortController();
    const running = runner.run(spec('endless.mjs'), { signal: abort.signal });
    await expect.poll(() => processesBelow(workspaces).length, { timeout: 5_000 }).toBeGreaterThan(0);
    abort.abort(new Error('cancelled'));
    await expect(running).rejects.toThrow('cancelled');
    expect(processesBelow(workspaces)).toEqual([]);
    expect(readdirSync(workspaces)).toEqual([]);
  });

  test('a flood of output ends in a bounded tail', async () => {
    const { runner } = await opened;
    program(
      'flood.mjs',
      `for (let i = 0; i < 20000; i++) console.log('line ' + i + 'x'.repeat(100)); console.log('last');`,
    );
    const { output, dispose } = await runner.run(spec('flood.mjs'), { signal: never });
    expect(output.truncated).toBe(true);
    expect(output.lines()).toHaveLength(200);
    expect(output.lines().at(-1)).toBe('last');
    await dispose();
  });

  test('item 42: a program that is not on the list, or a value that does not fit, is refused', async () => {
    const { runner, workspaces } = await opened;
    await expect(runner.run(spec('x.mjs', '', { program: 'bash' }), { signal: never })).rejects.toMatchObject({
      code: 'refused',
    });
    await expect(runner.run(spec('../../etc/passwd'), { signal: never })).rejects.toMatchObject({ code: 'refused' });
    expect(existsSync(workspaces) ? readdirSync(workspaces) : []).toEqual([]);
  });

  test('a source that is not there is told as such', async () => {
    const { runner } = await opened;
    await expect(
      runner.run(spec('hello.mjs', '', { sources: [{ from: '/nowhere', to: '.' }] }), { signal: never }),
    ).rejects.toMatchObject({ code: 'not_started' });
  });

  test.runIf(process.platform === 'linux')('more attempts than there are places take turns', async () => {
    const { runner } = await opened;
    program('turn.mjs', `console.log('done ' + process.getuid());`);
    const all = await Promise.all(
      [1, 2, 3, 4].map(async () => {
        const finished = await runner.run(spec('turn.mjs'), { signal: never });
        await finished.dispose();
        return finished.output.text('stdout').startsWith('done');
      }),
    );
    expect(all).toEqual([true, true, true, true]);
  });
});

describe.runIf(root)('uid separation', () => {
  test('an attempt reads no file and reaches no socket of another, and is nobody else', async () => {
    const { runner, stop } = await launched();
    const base = openFolder('secrets');
    const file = join(base, 'worker-secret');
    writeFileSync(file, 'secret', { mode: 0o600 });
    chownSync(file, WORKER_UID, WORKER_UID);
    const open = join(base, 'readable');
    writeFileSync(open, 'public');
    chmodSync(open, 0o644);
    const locked = join(base, 'sockets');
    mkdirSync(locked, { mode: 0o700 });
    const server = createServer((socket) => socket.on('error', () => {}).end('hi')).listen(join(locked, 'private'));
    const reachable = createServer((socket) => socket.on('error', () => {}).end('hi')).listen(join(base, 'public'));
    await Promise.all([server, reachable].map((s) => new Promise((resolve) => s.once('listening', resolve))));
    chmodSync(join(base, 'public'), 0o777);
    program(
      'probe.mjs',
      `import { readFileSync } from 'node:fs'; import { connect } from 'node:net';
       const read = (path) => { try { return readFileSync(path, 'utf8') } catch (e) { return e.code } };
       const dial = (path) => new Promise((r) => connect(path).once('connect', () => r('connected')).once('error', (e) => r(e.code)));
       const base = process.argv[2];
       console.log(JSON.stringify({ uid: process.getuid(), groups: process.getgroups(), secret: read(base + '/worker-secret'), readable: read(base + '/readable'),
         privateSocket: await dial(base + '/sockets/private'), publicSocket: await dial(base + '/public'),
         environmentOfOther: read('/proc/${process.pid}/environ') }));
       process.exit(0);`,
    );
    const finished = await runner.run(spec('probe.mjs', base), { signal: never });
    const said = JSON.parse(finished.output.text('stdout')) as Record<string, unknown>;
    expect(ATTEMPT_UIDS).toContain(said.uid);
    expect(said).toMatchObject({
      groups: [said.uid],
      readable: 'public',
      secret: 'EACCES',
      publicSocket: 'connected',
      privateSocket: 'EACCES',
      environmentOfOther: 'EACCES',
    });
    await finished.dispose();
    for (const s of [server, reachable]) s.close();
    await stop();
    for (const uid of ATTEMPT_UIDS) expect(processesOfUid(uid)).toEqual([]);
  });

  test('only the worker can ask for attempts', async () => {
    const base = openFolder('askers');
    const sockets = join(base, 's');
    mkdirSync(sockets, { mode: 0o700 });
    chownSync(sockets, WORKER_UID, WORKER_UID);
    const socketPath = join(sockets, 'l');
    const options = { workerUid: WORKER_UID, uids: ATTEMPT_UIDS, programs, guards: compiledGuards() };
    await using _launcher = await startAttemptLauncher({ ...options, socketPath, workspaces: join(base, 'w') });
    const ask = `require('node:net').connect(process.argv[1]).once('connect', () => process.exit(0)).once('error', (e) => { console.log(e.code); process.exit(1); })`;
    const as = async (uid: number): Promise<string> => {
      const child = spawn(process.execPath, ['-e', ask, socketPath], { uid, gid: uid, cwd: '/' });
      const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
      return code === 0 ? 'connected' : output.trim();
    };
    const { mode, uid: owner } = lstatSync(socketPath);
    expect([mode & 0o777, owner]).toEqual([0o600, WORKER_UID]);
    expect(await as(WORKER_UID)).toBe('connected');
    expect(await as(ATTEMPT_UIDS[0] ?? 0)).toBe('EACCES');
    expect(await as(65_534)).toBe('EACCES');
  });

  test('an attempt that kills its watchdog and hides is still ended', async () => {
    const { runner, stop } = await launched();
    program(
      'hide.mjs',
      `import { spawn } from 'node:child_process';
       spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore', cwd: '/', env: {} });
       process.kill(process.ppid, 'SIGKILL'); setInterval(() => {}, 1000);`,
    );
    await expect(runner.run(spec('hide.mjs'), { signal: never })).rejects.toMatchObject({ code: 'lost' });
    for (const uid of ATTEMPT_UIDS) expect(processesOfUid(uid)).toEqual([]);
    await stop();
  });

  test('the launcher refuses a socket folder that others can enter, and the worker’s own uid', async () => {
    const base = openFolder('refusals');
    const options = {
      workerUid: WORKER_UID,
      uids: ATTEMPT_UIDS,
      programs,
      workspaces: join(base, 'w'),
      guards: compiledGuards(),
    };
    await expect(startAttemptLauncher({ ...options, socketPath: join(base, 'l') })).rejects.toThrow('0700');
    const sockets = join(base, 's');
    mkdirSync(sockets, { mode: 0o700 });
    chownSync(sockets, WORKER_UID, WORKER_UID);
    await expect(
      startAttemptLauncher({ ...options, uids: [WORKER_UID], socketPath: join(sockets, 'l') }),
    ).rejects.toThrow('uids');
  });
});
