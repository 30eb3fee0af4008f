import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type ChildSpec, SupervisedProcess } from './child-process.ts';
import { processStart } from './processes.ts';

function specOf(program: string): ChildSpec {
  const folder = mkdtempSync(join(tmpdir(), 'nh-child-'));
  const file = join(folder, 'program.mjs');
  writeFileSync(file, program);
  return { name: 'sample', program: file, env: {}, cwd: folder, node: process.execPath, logFile: join(folder, 'log') };
}

const READY = `console.log(JSON.stringify({ ready: true, pid: process.pid })); process.stdin.resume();`;

test('start resolves with what the process says when it is ready, and stop ends it', async () => {
  const child = await SupervisedProcess.start(specOf(READY));
  expect(child.ready).toMatchObject({ ready: true, pid: child.pid });
  const pid = child.pid ?? 0;
  await child.stop();
  expect(processStart(pid)).toBeUndefined();
});

test('nothing of our environment is passed on', async () => {
  process.env.NH_TEST_SECRET = 'leak';
  const child = await SupervisedProcess.start(
    specOf(`console.log(JSON.stringify({ ready: true, names: Object.keys(process.env) })); process.stdin.resume();`),
  );
  expect(child.ready.names).toEqual(['HIVE_PARENT_PIPE']);
  await child.stop();
});

test('a process that ends before it is ready is reported with its last words', async () => {
  const spec = specOf(`console.error('the port is taken'); process.exit(3);`);
  await expect(SupervisedProcess.start(spec)).rejects.toThrow(
    /sample ended before it was ready \(exit 3\)[\s\S]*the port is taken/,
  );
  expect(readFileSync(spec.logFile, 'utf8')).toContain('the port is taken');
});

test('a process that is killed is started again', async () => {
  const restarted: string[] = [];
  let notify: (() => void) | undefined;
  const child = await SupervisedProcess.start(specOf(READY), (_, why) => {
    restarted.push(why);
    notify?.();
  });
  const first = child.pid ?? 0;
  const seen = new Promise<void>((resolve) => {
    notify = resolve;
  });
  process.kill(first, 'SIGKILL');
  await seen;
  await expect.poll(() => child.ready.pid, { timeout: 5_000 }).not.toBe(first);
  await expect.poll(() => child.ready.pid, { timeout: 5_000 }).toBe(child.pid);
  expect(restarted).toEqual(['SIGKILL']);
  await child.stop();
});

test('last words that come after the end, through a pipe that a grandchild holds, do no harm', async () => {
  const late = `process.on('SIGTERM', () => {}); setTimeout(() => { console.error('late'); process.exit(); }, 400);`;
  const child = await SupervisedProcess.start(
    specOf(`import { spawn } from 'node:child_process';
      const grandchild = spawn(process.execPath, ['-e', ${JSON.stringify(late)}], { detached: true, stdio: ['ignore', 'ignore', 'inherit'] });
      grandchild.once('spawn', () => console.log(JSON.stringify({ ready: true, grandchild: grandchild.pid })));
      process.stdin.resume();`),
  );
  const grandchild = Number(child.ready.grandchild);
  await child.stop();
  expect(processStart(grandchild)).toBeDefined();
  await expect.poll(() => processStart(grandchild)).toBeUndefined();
  // What it wrote has been read by now; written to the closed log it would end this process.
  await new Promise((resolve) => setImmediate(resolve));
});

test('a log that cannot be written does not end the supervisor', async () => {
  const spec = specOf(READY);
  const child = await SupervisedProcess.start({ ...spec, logFile: join(spec.cwd, 'none', 'log') });
  expect(child.ready).toMatchObject({ ready: true });
  await child.stop();
});

test('the end of the pipe tells the process that its supervisor is gone', async () => {
  const spec = specOf(READY);
  const parent = specOf(
    `import { spawn } from 'node:child_process';
     const child = spawn(process.execPath, [${JSON.stringify(spec.program)}], { stdio: ['pipe', 'inherit', 'inherit'], detached: true });
     process.stdin.resume();`,
  );
  const { spawn } = await import('node:child_process');
  const supervisor = spawn(process.execPath, [parent.program], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(supervisor.stdout, 'data')) as [Buffer];
  const { pid } = JSON.parse(line.toString()) as { pid: number };
  expect(processStart(pid)).toBeDefined();
  supervisor.kill('SIGKILL');
  await expect.poll(() => processStart(pid), { timeout: 2_000 }).toBeUndefined();
});
