import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { isAlive } from './processes.ts';
import { startPostgres } from './start.ts';

const workspace = resolve(import.meta.dirname, '..');

/** A program that starts a server from the built package, says where it is and then hangs. */
const SUPERVISOR = `
const { startPostgres } = await import(process.argv[1]);
const server = await startPostgres({ dataFolder: process.argv[2] || undefined });
console.log(JSON.stringify({ pid: server.pid, dataFolder: server.dataFolder }));
setInterval(() => {}, 1000);
`;

async function startSupervisor(dataFolder: string): Promise<{ kill: () => void; pid: number; dataFolder: string }> {
  const build = spawnSync(process.execPath, [join(workspace, '../build.mjs'), workspace], { encoding: 'utf8' });
  expect(build.stderr).not.toContain('tools/embedded-postgres');
  const program = pathToFileURL(join(workspace, 'dist', 'index.js')).href;
  const child = spawn(process.execPath, ['--input-type=module', '-e', SUPERVISOR, program, dataFolder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    return { kill: () => child.kill('SIGKILL'), ...(JSON.parse(line) as { pid: number; dataFolder: string }) };
  }
  throw new Error('the supervisor ended early');
}

/** Polls, since nothing tells about the end of another program's child. */
async function waitUntil(condition: () => boolean, limitMs: number): Promise<void> {
  const start = performance.now();
  while (!condition()) {
    if (performance.now() - start > limitMs) throw new Error(`not within ${limitMs} ms`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

test('a supervisor that is killed takes its server with it, which shuts down cleanly', async () => {
  const base = mkdtempSync('/tmp/pgt-');
  chmodSync(base, 0o711);
  try {
    const supervisor = await startSupervisor(base);
    expect(isAlive(supervisor.pid)).toBe(true);
    supervisor.kill();
    await waitUntil(() => !isAlive(supervisor.pid), 2_000);

    const lines: string[] = [];
    await using next = await startPostgres({ dataFolder: base, log: (line) => lines.push(line) });
    expect(next.dataFolder).toBe(supervisor.dataFolder);
    expect(lines.join('\n')).toContain('database system was shut down');
    expect(lines.join('\n')).not.toContain('recovery');
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
});

test('a supervisor that is killed leaves no file of its throw-away cluster', async () => {
  const supervisor = await startSupervisor('');
  expect(existsSync(supervisor.dataFolder)).toBe(true);
  supervisor.kill();
  await waitUntil(() => !existsSync(resolve(supervisor.dataFolder, '..')), 2_000);
  expect(isAlive(supervisor.pid)).toBe(false);
});
