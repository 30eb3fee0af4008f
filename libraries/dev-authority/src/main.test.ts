import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const workspace = fileURLToPath(new URL('..', import.meta.url));
let folder: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'da-main-'));
  const compiler = fileURLToPath(new URL('../../../node_modules/.bin/tsc', import.meta.url));
  await promisify(execFile)(compiler, ['-b', workspace]).catch(() => undefined);
}, 120_000);
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

interface Started {
  readonly child: ChildProcess;
  readonly address: string;
  readonly agent: Agent;
  readonly token: string;
}

async function start(name: string, env: Record<string, string> = {}): Promise<Started> {
  const file = join(folder, `${name}.json`);
  await writeFile(file, JSON.stringify({ stateFolder: join(folder, name), controlSocket: join(folder, 'c.sock') }));
  const child = spawn(process.execPath, [join(workspace, 'dist/main.js'), file], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout });
  const [line] = (await once(lines, 'line')) as [string];
  const ready = JSON.parse(line) as { ready: boolean; address: string; caFile: string; rootTokenFile: string };
  expect(ready.ready).toBe(true);
  return {
    child,
    address: ready.address,
    agent: new Agent({ ca: await readFile(ready.caFile), keepAlive: true }),
    token: await readFile(ready.rootTokenFile, 'utf8'),
  };
}

function call(
  { address, agent, token }: Started,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? '' : JSON.stringify(body);
    const headers = { 'x-vault-token': token, 'content-length': Buffer.byteLength(payload) };
    const outgoing = request(`${address}/v1/${path}`, { method, agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    outgoing.on('error', reject).end(payload);
  });
}

test("SIGTERM ends it cleanly, and so does the end of its parent's pipe", async () => {
  const first = await start('ends');
  expect((await call(first, 'GET', 'sys/health')).status).toBe(200);
  const ended = once(first.child, 'exit');
  first.child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);

  const second = await start('ends', { HIVE_PARENT_PIPE: '1' });
  const gone = once(second.child, 'exit');
  const beganMs = performance.now();
  second.child.stdin?.end();
  expect(await gone).toEqual([0, null]);
  expect(performance.now() - beganMs).toBeLessThan(6_000);
});

test('a wrong configuration, or production, is one line and exit 3', async () => {
  const run = async (
    content: string,
    env: Record<string, string> = {},
  ): Promise<{ code: number | null; stderr: string }> => {
    const file = join(folder, 'wrong.json');
    await writeFile(file, content);
    const child = spawn(process.execPath, [join(workspace, 'dist/main.js'), file], { env: { ...process.env, ...env } });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, stderr };
  };
  const wrong = await run(JSON.stringify({ stateFolder: 'relative', port: 70_000, typo: 1 }));
  expect(wrong).toEqual({
    code: 3,
    stderr: expect.stringMatching(/^dev-authority: .*stateFolder: must be an absolute path.*\n$/),
  });
  expect(wrong.stderr).toMatch(/port: .*typo/);
  const production = await run(JSON.stringify({ stateFolder: join(folder, 'never') }), { NODE_ENV: 'production' });
  expect([production.code, production.stderr]).toEqual([3, expect.stringContaining('NODE_ENV is production')]);
});

test('SIGKILL in the middle of writes loses nothing that was acknowledged, and the next start reads the state', async () => {
  const acknowledged: string[] = [];
  for (const count of [15, 60, 120]) {
    const running = await start('killed');
    const ended = once(running.child, 'exit');
    let stop = false;
    const lane = async (name: string): Promise<void> => {
      for (let index = 0; !stop; index += 1) {
        const path = `secret/data/${count}/${name}/${index}`;
        const answer = await call(running, 'POST', path, { data: { filler: 'x'.repeat(5_000) } }).catch(
          () => undefined,
        );
        if (answer?.status !== 200) return;
        acknowledged.push(path);
        if (acknowledged.filter((entry) => entry.startsWith(`secret/data/${count}/`)).length === count) {
          stop = true;
          running.child.kill('SIGKILL');
        }
      }
    };
    await Promise.all(['a', 'b', 'c', 'd'].map(lane));
    await ended;
    running.agent.destroy();
  }
  expect(acknowledged.length).toBeGreaterThanOrEqual(195);
  const last = await start('killed');
  const answers = await Promise.all(acknowledged.map((path) => call(last, 'GET', path)));
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  last.agent.destroy();
  last.child.kill('SIGTERM');
}, 60_000);

test('SIGKILL in the middle of rotations takes back no authority that was acknowledged, nor the number of its bundle', async () => {
  interface Shown {
    readonly sequence: number;
    readonly x509: readonly { authority_id: string; status: string }[];
    readonly jwt: readonly { authority_id: string; status: string }[];
  }
  const dataOf = (text: string): unknown => (JSON.parse(text) as { data: unknown }).data;
  for (const count of [3, 12]) {
    const running = await start('rotated');
    const ended = once(running.child, 'exit');
    const last = { x509: '', jwt: '', sequence: 0 };
    let acknowledged = 0;
    const lane = async (kind: 'x509' | 'jwt'): Promise<void> => {
      for (;;) {
        const path = `sys/dev/spiffe-authorities/${kind}/rotate`;
        const answer = await call(running, 'POST', path, {}).catch(() => undefined);
        if (answer?.status !== 200) return;
        const { authority_id, sequence } = dataOf(answer.text) as { authority_id: string; sequence: number };
        last[kind] = authority_id;
        last.sequence = Math.max(last.sequence, sequence);
        acknowledged += 1;
        if (acknowledged >= count && last.x509 !== '' && last.jwt !== '') running.child.kill('SIGKILL');
      }
    };
    await Promise.all([lane('x509'), lane('jwt')]);
    await ended;
    running.agent.destroy();
    expect(acknowledged).toBeGreaterThanOrEqual(count);
    const again = await start('rotated');
    const shown = dataOf((await call(again, 'GET', 'sys/dev/spiffe-authorities')).text) as Shown;
    expect(shown.sequence).toBeGreaterThanOrEqual(last.sequence);
    for (const kind of ['x509', 'jwt'] as const) {
      expect(shown[kind].map(({ authority_id }) => authority_id)).toContain(last[kind]);
      expect(shown[kind].filter(({ status }) => status === 'active')).toHaveLength(1);
    }
    again.agent.destroy();
    again.child.kill('SIGTERM');
    await once(again.child, 'exit');
  }
}, 60_000);

test('it starts within 300 ms of being asked to, on a state that is there already', async () => {
  const { DevAuthority } = await import('./dev-authority.ts');
  const stateFolder = join(folder, 'fast');
  await (await DevAuthority.open({ stateFolder })).close();
  const times: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const beganMs = performance.now();
    const authority = await DevAuthority.open({ stateFolder });
    times.push(performance.now() - beganMs);
    await authority.close();
  }
  expect(Math.min(...times)).toBeLessThan(300);
});
