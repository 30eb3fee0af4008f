import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const workspace = fileURLToPath(new URL('..', import.meta.url));
const runtime = pathToFileURL(join(workspace, 'dist/index.js')).href;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'run-service-'));
  const compiler = fileURLToPath(new URL('../../../node_modules/.bin/tsc', import.meta.url));
  await promisify(execFile)(compiler, ['-b', workspace]).catch(() => undefined);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Running {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  stdout(): string;
  stderr(): string;
  /** The first line on standard output. */
  line(): Promise<string>;
}

let scripts = 0;
/** Starts a process that runs a service whose `open` has this body. */
async function start(body: string, env: Record<string, string> = {}): Promise<Running> {
  scripts += 1;
  const script = join(folder, `service-${scripts}.mjs`);
  await writeFile(
    script,
    `import * as runtime from ${JSON.stringify(runtime)};
     runtime.runService({ name: 'sample', open: async (context) => { ${body} } });`,
  );
  const child = spawn(process.execPath, [script], { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const exited = once(child, 'close').then(([code]) => code as number | null);
  return {
    child,
    exited,
    stdout: () => stdout,
    stderr: () => stderr,
    async line() {
      while (!stdout.includes('\n')) {
        const ended = await Promise.race([once(child.stdout, 'data').then(() => false), exited.then(() => true)]);
        if (ended) throw new Error(`the service ended: ${stderr}`);
      }
      return stdout.slice(0, stdout.indexOf('\n'));
    },
  };
}

const SERVES = `return { ready: { port: 1 }, close: async () => { process.stderr.write('closed\\n'); } };`;

describe('runService', () => {
  test('prints one line of JSON when ready and closes on SIGTERM', async () => {
    const service = await start(SERVES);
    expect(JSON.parse(await service.line())).toEqual({ ready: true, service: 'sample', port: 1 });
    service.child.kill('SIGTERM');
    expect(await service.exited).toBe(0);
    expect(service.stderr()).toContain('closed');
    expect(service.stdout().trim().split('\n')).toHaveLength(1);
  });

  test('closes when the process that holds its standard input is gone', async () => {
    const service = await start(SERVES, { HIVE_PARENT_PIPE: '1' });
    await service.line();
    service.child.stdin?.end();
    expect(await service.exited).toBe(0);
    expect(service.stderr()).toContain('closed');
  });

  test('does not read its standard input unless it is told to', async () => {
    const service = await start(SERVES, { HIVE_PARENT_PIPE: '0' });
    await service.line();
    service.child.stdin?.end();
    service.child.kill('SIGINT');
    expect(await service.exited).toBe(0);
  });

  test('an orphan that cannot close ends all the same, soon', async () => {
    const service = await start(`return { ready: {}, close: () => new Promise(() => {}) };`, { HIVE_PARENT_PIPE: '1' });
    await service.line();
    const started = performance.now();
    service.child.stdin?.end();
    expect(await service.exited).toBe(1);
    // The limit is 1.5 s; the rest is for a busy machine.
    expect(performance.now() - started).toBeLessThan(6_000);
  });

  test('while it still opens, its signal is aborted and it ends without a line', async () => {
    const service = await start(
      `process.stderr.write('opening\\n');
       await new Promise((resolve, reject) => context.signal.addEventListener('abort', () => reject(context.signal.reason)));`,
    );
    while (!service.stderr().includes('opening')) await once(service.child.stderr ?? service.child, 'data');
    service.child.kill('SIGTERM');
    expect(await service.exited).toBe(0);
    expect(service.stdout()).toBe('');
  });

  test('names every problem of the configuration on a line of its own and exits 3', async () => {
    const service = await start(
      `throw new runtime.ConfigError(['GRPC_PORT: is required and not set', 'X: is wrong']);`,
    );
    expect(await service.exited).toBe(3);
    expect(service.stderr().trim().split('\n')).toEqual([
      'sample: GRPC_PORT: is required and not set',
      'sample: X: is wrong',
    ]);
  });

  test('a log level that is none is one line that names those there are, and exit code 3', async () => {
    const service = await start(`return { ready: {}, close: async () => {} };`, { LOG_LEVEL: 'loud' });
    expect(await service.exited).toBe(3);
    expect(service.stderr()).toBe('sample: LOG_LEVEL: must be one of trace, debug, info, warn, error, fatal, silent\n');
  });

  test('a port that is taken is one line that says what to do, and exit code 3', async () => {
    const service = await start(
      `const { registry } = context.metrics;
       const check = () => ({ ok: true });
       const first = await runtime.observabilityServer({ port: 0, health: check, ready: check, registry });
       await runtime.observabilityServer({ port: first.port, health: check, ready: check, registry });`,
    );
    expect(await service.exited).toBe(3);
    expect(service.stderr()).toMatch(/^sample: listen EADDRINUSE.*choose another port\n$/);
  });

  test('a failure to start keeps secrets to itself and exits 1', async () => {
    const service = await start(`throw new Error('login failed: postgres://user:hunter2@host/db');`);
    expect(await service.exited).toBe(1);
    expect(service.stderr()).toContain('cannot start: login failed');
    expect(service.stderr()).not.toContain('hunter2');
  });

  test('a defect while it runs closes what is open and exits 1', async () => {
    const service = await start(`setTimeout(() => { throw new Error('a defect'); }, 20); ${SERVES}`);
    expect(await service.exited).toBe(1);
    expect(service.stderr()).toContain('uncaughtException');
    expect(service.stderr()).toContain('closed');
  });
});
