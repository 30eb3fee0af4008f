import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { SPIFFE_IDS } from '@neural-hive/contracts';
import { AgentType, RegisterRequest, ServiceRegistryService } from '@neural-hive/contracts/proto/service-registry';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { unaryCall } from './testing/grpc-call.ts';
import { TestPlatform } from './testing/test-platform.ts';

const workspace = fileURLToPath(new URL('..', import.meta.url));
const { register, heartbeat } = ServiceRegistryService;

let platform: TestPlatform;
const children: ChildProcess[] = [];

beforeAll(async () => {
  const compiler = fileURLToPath(new URL('../../../node_modules/.bin/tsc', import.meta.url));
  await promisify(execFile)(compiler, ['-b', workspace]).catch(() => undefined);
});
beforeEach(async () => {
  platform = await TestPlatform.open();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await platform.close();
});

async function start(env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [join(workspace, 'dist/main.js')], {
    env: {
      PATH: process.env.PATH,
      HIVE_PARENT_PIPE: '1',
      ENVIRONMENT: 'development',
      GRPC_PORT: '0',
      METRICS_PORT: '0',
      MANAGEMENT_PORT: '0',
      SPIFFE_ENDPOINT_SOCKET: await platform.endpointOf(SPIFFE_IDS.registry),
      REGISTRY_JOURNAL_FILE: join(platform.folder, 'journal'),
      ...env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  children.push(child);
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ready = async (): Promise<{ service: string; grpcPort: number; metricsPort: number }> => {
    const lines = createInterface({ input: child.stdout });
    const [line] = (await Promise.race([once(lines, 'line'), exited])) as [unknown];
    if (typeof line !== 'string') throw new Error(`the registry ended: ${stderr}`);
    return JSON.parse(line);
  };
  return { child, exited, ready, stderr: () => stderr };
}

const registration = RegisterRequest.create({
  agentType: AgentType.WORKER,
  capabilities: ['build'],
  instanceId: 'worker-1',
});

test('the process says when it is ready, serves, and ends with its parent', async () => {
  const registry = await start();
  const line = await registry.ready();
  expect(line).toMatchObject({ ready: true, service: 'service-registry' });
  const worker = await platform.clientOf(SPIFFE_IDS.worker, line.grpcPort);
  expect((await unaryCall(worker, register, registration)).agentId).not.toBe('');
  expect((await fetch(`http://127.0.0.1:${line.metricsPort}/ready`)).status).toBe(200);
  const startedMs = performance.now();
  registry.child.stdin.end();
  expect(await registry.exited).toEqual([0, null]);
  expect(performance.now() - startedMs).toBeLessThan(6_000);
});

test('a registry that was killed comes back with its agents', async () => {
  const first = await start();
  const before = await platform.clientOf(SPIFFE_IDS.worker, (await first.ready()).grpcPort);
  const { agentId } = await unaryCall(before, register, registration);
  first.child.kill('SIGKILL');
  await first.exited;

  const second = await start();
  const after = await platform.clientOf(SPIFFE_IDS.worker, (await second.ready()).grpcPort);
  expect(await unaryCall(after, heartbeat, { agentId, telemetry: undefined })).toMatchObject({ status: 1 });
  second.child.kill('SIGTERM');
  expect(await second.exited).toEqual([0, null]);
});

test('a wrong configuration is told line by line, with exit code 3', async () => {
  const registry = await start({ GRPC_PORT: 'x', ENVIRONMENT: 'dev' });
  expect((await registry.exited)[0]).toBe(3);
  expect(registry.stderr()).toMatch(/^service-registry: ENVIRONMENT: /m);
  expect(registry.stderr()).toMatch(/^service-registry: GRPC_PORT: must be a whole number$/m);
});
