import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Agent, startAgent } from './agent.mjs';

const root = resolve(import.meta.dirname, '../..');
const children: ChildProcess[] = [];
let agent: Agent;

beforeAll(async () => {
  // The example runs on what is built; when the build fails here, another check says so better.
  spawnSync(process.execPath, [join(root, 'tools/build.mjs'), 'libraries/security'], { cwd: root });
  agent = await startAgent(
    ['spiffe://example.org/api', 'spiffe://example.org/web', 'spiffe://example.org/stranger'],
    3,
  );
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await agent.stop();
});

/** Runs a program of the example as its reader would and hears every line it prints. */
function run(program: string, env: Record<string, string>, heard: (line: Record<string, unknown>) => void) {
  const child = spawn(process.execPath, [join(import.meta.dirname, program)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  });
  children.push(child);
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  createInterface({ input: child.stdout }).on('line', (line) => heard(JSON.parse(line)));
  const ended = once(child, 'close').then(([exitCode]) => ({ exitCode: exitCode as number | null, errors }));
  return { child, ended };
}

function startService(): Promise<{ child: ChildProcess; ended: Promise<unknown>; url: string; refused: string[] }> {
  const refused: string[] = [];
  return new Promise((resolve, reject) => {
    const env = { SPIFFE_ENDPOINT_SOCKET: agent.endpoints[0] ?? '', PORT: '0' };
    const service = run('service.mjs', env, (line) => {
      if (line.refused !== undefined) refused.push(String(line.refused));
      else resolve({ ...service, url: `https://127.0.0.1:${line.port}`, refused });
    });
    service.ended.then(({ errors }) => reject(new Error(errors)));
  });
}

test('calls go on while both sides get new SVIDs, and a stranger is refused', async () => {
  const service = await startService();
  const said = new Set<unknown>();
  const caller = run(
    'caller.mjs',
    { SPIFFE_ENDPOINT_SOCKET: agent.endpoints[1] ?? '', SERVICE_URL: service.url },
    (line) => {
      said.add(line.said);
      if (Number(line.generation) >= 3) caller.child.kill('SIGINT');
    },
  );
  expect(await caller.ended).toEqual({ exitCode: 0, errors: '' });
  expect([...said]).toEqual(['hello spiffe://example.org/web']);
  expect(service.refused).toEqual([]);

  const heard: unknown[] = [];
  const env = { SPIFFE_ENDPOINT_SOCKET: agent.endpoints[2] ?? '', SERVICE_URL: service.url };
  const stranger = run('caller.mjs', env, (line) => heard.push(line));
  expect(await stranger.ended).toMatchObject({ exitCode: 1 });
  expect(heard).toEqual([]);
  await expect.poll(() => service.refused.join()).toContain('spiffe://example.org/stranger is not authorized');
  service.child.kill('SIGINT');
  expect(await service.ended).toEqual({ exitCode: 0, errors: '' });
});

test.each([
  ['service.mjs', 10],
  ['caller.mjs', 10],
])('what gives %s its identity is at most %i lines', (program, most) => {
  const text = readFileSync(join(import.meta.dirname, program), 'utf8');
  const [core = ''] = text.split('\n// That is all.');
  expect(core.split('\n').filter((line) => line !== '').length).toBeLessThanOrEqual(most);
});

test.each(['service.mjs', 'caller.mjs'])('the guide shows the lines of %s as they are', (program) => {
  const [core = ''] = readFileSync(join(import.meta.dirname, program), 'utf8').split('\n// That is all.');
  const guide = readFileSync(join(root, 'docs/guides/add-spiffe-in-ten-lines.md'), 'utf8');
  expect(guide).toContain(core.trim());
});
