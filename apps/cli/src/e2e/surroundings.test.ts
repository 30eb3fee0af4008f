import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { asOperator } from '../client/operator.ts';
import { AS_ROOT, freePortBase, type HiveResult, RunningHive, runHive, scratchFolder } from './hive-process.ts';
import { build, deploy, planOf, query } from './plans.ts';
import { projectsFolder } from './shared-platform.ts';

const shared = inject('platform');
const scratch = scratchFolder();
afterAll(() => scratch.remove());

let base: string;
beforeAll(async () => {
  base = String(await freePortBase());
});

async function up(home: string, env: Record<string, string> = {}): Promise<HiveResult> {
  return runHive(['up', '--no-job', '--home', home], { env: { HIVE_PORT_BASE: base, ...env } });
}

/** One line on standard error that says `what`, and exit code 3. */
function expectOneLine({ code, stderr }: HiveResult, what: RegExp): void {
  expect({ code, lines: stderr.trim().split('\n') }).toEqual({ code: 3, lines: [expect.stringMatching(what)] });
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

test('a taken port is named in one line, with what to do', async () => {
  const port = Number(base) + 1;
  const server = await listen(port);
  try {
    const refused = await up(join(scratch.path, 'taken'));
    expectOneLine(refused, new RegExp(`port ${port} \\(registry\\).*HIVE_PORT_BASE`));
  } finally {
    server.close();
  }
});

test('a data folder that cannot be made is named in one line, with what to do', async () => {
  const file = join(scratch.path, 'file');
  writeFileSync(file, '');
  expectOneLine(await up(join(file, 'home')), /file\/home.*--home/);
  expectOneLine(await up('/sys/hive'), /\/sys\/hive.*--home/);
});

test('a second platform on the same folder is refused in one line, and the first goes on', async () => {
  expectOneLine(
    await up(shared.home),
    new RegExp(`running on this folder already \\(process ${shared.supervisor}\\).*hive down`),
  );
  expect((await runHive(['status', '--home', shared.home])).code).toBe(0);
});

test('a port base that is no port is refused in one line', async () => {
  expectOneLine(await up(join(scratch.path, 'base'), { HIVE_PORT_BASE: 'seventy' }), /HIVE_PORT_BASE is seventy/);
});

test('a folder of 150 characters with spaces in its name works, since sockets lie elsewhere', {
  timeout: 60_000,
}, async () => {
  const projects = projectsFolder(scratch.path);
  const start = join(scratch.path, 'a home with spaces ');
  const data = start + 'x'.repeat(150 - start.length);
  const hive = await RunningHive.start({ home: data, env: { WORKER_PROJECTS_FOLDER: projects } });
  try {
    await asOperator(data, async ({ orchestrator }) => {
      const plan = planOf([build('release-app'), query('history'), deploy('release-app')]);
      await orchestrator.submit(plan);
      for await (const line of orchestrator.progress(plan.plan_id)) if (line.type === 'plan' && line.final) break;
      expect((await orchestrator.show(plan.plan_id)).status).toBe('COMPLETED');
    });
  } finally {
    expect(await hive.end('SIGTERM')).toMatchObject({ code: 0 });
  }
});

if (AS_ROOT) {
  test('a data folder below one that no other user can cross is refused in one line', async () => {
    const closed = join(scratch.path, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    expectOneLine(await up(join(closed, 'home')), /\/closed: choose another folder/);
  });
}
