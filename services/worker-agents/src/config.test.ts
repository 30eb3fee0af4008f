import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AUDIENCES } from '@neural-hive/contracts';
import { expect, test } from 'vitest';
import { workerConfig } from './config.ts';
import { openFolder } from './testing/guards.ts';

const NEEDED = { POSTGRES_HOST: '/run/pg', VAULT_ADDRESS: 'https://127.0.0.1:8200' };

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    workerConfig({ ...NEEDED, ...env });
  } catch (error) {
    return (error as { problems: readonly string[] }).problems;
  }
  return [];
}

test('what is not told has a default', () => {
  const config = workerConfig(NEEDED);
  expect(config.types).toEqual(['BUILD', 'TEST', 'VALIDATE', 'TRANSFORM', 'QUERY', 'DEPLOY', 'COMPENSATE']);
  expect(config.registry).toMatchObject({ address: '127.0.0.1:50051', heartbeatMs: 30_000 });
  expect(Object.keys(config.programs)).toEqual(['tsc-build', 'node-test', 'release-smoke', 'json-get']);
  expect(config.projects).toMatch(/examples\/projects$/);
  expect(config.security.vault.login).toMatchObject({ role: 'worker-agents', method: 'kubernetes' });
  expect(workerConfig({ ...NEEDED, ENVIRONMENT: 'development' }).registry.heartbeatMs).toBe(5_000);
});

test('item 41: production fails closed, and the token for one service is for no other', () => {
  expect(workerConfig(NEEDED).environment).toBe('production');
  expect(workerConfig(NEEDED).security.vault.failOpen).toBe(false);
  expect(problemsOf({ VAULT_FAIL_OPEN: 'true', ENVIRONMENT: 'development' })).toEqual([]);
  expect(problemsOf({ VAULT_FAIL_OPEN: 'true' })).toEqual([expect.stringMatching(/FAIL_OPEN/)]);
  expect(new Set(Object.values(AUDIENCES)).size).toBe(Object.values(AUDIENCES).length);
});

test('two processes do not share a name', () => {
  expect(workerConfig(NEEDED).agentId).not.toBe(workerConfig(NEEDED).agentId);
});

test('every problem is told at once', () => {
  const problems = problemsOf({
    VAULT_ADDRESS: 'http://vault.example:8200',
    SUPPORTED_TASK_TYPES: 'BUILD,PAINT',
    MAX_CONCURRENT_BY_TYPE: 'BUILD=many',
    WORKER_DATA_FOLDER: 'relative',
  });
  expect(problems).toHaveLength(4);
  expect(problems.join('\n')).toMatch(/^VAULT_ADDRESS: /m);
});

test('the MongoDB that may be read is named with its database, and without a login', () => {
  const uri = 'mongodb://a:27017,b:27017/releases?tls=true';
  expect(workerConfig({ ...NEEDED, QUERY_MONGODB_URI: uri }).queryMongodbUri).toBe(uri);
  for (const wrong of ['mongodb://a:27017', 'mongodb://user:pass@a/releases', 'http://a/releases']) {
    expect(problemsOf({ QUERY_MONGODB_URI: wrong })).toEqual([expect.stringMatching(/^QUERY_MONGODB_URI: /)]);
  }
});

test('the allow-list can come from a file, which is checked', () => {
  const file = join(openFolder('config'), 'programs.json');
  writeFileSync(file, JSON.stringify({ make: { task_types: ['BUILD'], command: '/usr/bin/make', args: [] } }));
  expect(Object.keys(workerConfig({ ...NEEDED, ALLOWED_PROGRAMS_FILE: file }).programs)).toEqual(['make']);
  writeFileSync(file, JSON.stringify({ make: { task_types: ['BUILD'], command: 'make', args: [] } }));
  expect(problemsOf({ ALLOWED_PROGRAMS_FILE: file })).toEqual([
    'ALLOWED_PROGRAMS_FILE: make.command: must be an absolute path',
  ]);
});

test('a cluster is spoken to only for what the operator lists, and a job is something to execute', () => {
  expect(workerConfig(NEEDED).kubernetes).toBeUndefined();
  const file = join(openFolder('config'), 'targets.json');
  const job = {
    namespace: 'apps',
    service_account: 'tool',
    image: `registry.test/tool@sha256:${'a'.repeat(64)}`,
    limits: { cpu: '1', memory: '64Mi' },
  };
  writeFileSync(file, JSON.stringify({ jobs: { job } }));
  const config = workerConfig({ ...NEEDED, KUBERNETES_TARGETS_FILE: file });
  expect(config.kubernetes).toMatchObject({
    url: 'https://kubernetes.default.svc',
    tokenFile: '/var/run/secrets/kubernetes.io/serviceaccount/token',
    allowed: { deployments: {}, jobs: { job: { mount_token: false, run_as_user: 65_532 } } },
  });
  expect(config.types).toContain('EXECUTE');
  writeFileSync(file, JSON.stringify({ jobs: { job: { ...job, namespace: undefined } } }));
  expect(problemsOf({ KUBERNETES_TARGETS_FILE: file, KUBERNETES_API_URL: 'http://api' })).toEqual([
    expect.stringMatching(/^KUBERNETES_API_URL: /),
    expect.stringMatching(/^KUBERNETES_TARGETS_FILE: jobs\.job\.namespace: /),
  ]);
});

test('a type whose work is done by programs is taken only when there is one', () => {
  const file = join(openFolder('config'), 'programs.json');
  const run = { task_types: ['EXECUTE'], command: '/usr/bin/true', args: [] };
  writeFileSync(file, JSON.stringify({ run }));
  const env = { ALLOWED_PROGRAMS_FILE: file };
  expect(workerConfig({ ...NEEDED, ...env }).types).toEqual(['VALIDATE', 'EXECUTE', 'QUERY', 'DEPLOY', 'COMPENSATE']);
  expect(problemsOf({ ...env, SUPPORTED_TASK_TYPES: 'EXECUTE,QUERY' })).toEqual([]);
  expect(problemsOf({ ...env, SUPPORTED_TASK_TYPES: 'EXECUTE,BUILD' })).toEqual([
    'SUPPORTED_TASK_TYPES: no program on the list is for BUILD',
  ]);
  writeFileSync(file, JSON.stringify({ run: { ...run, undo: 'gone' } }));
  expect(problemsOf(env)).toEqual(['ALLOWED_PROGRAMS_FILE: run.undo: must name a program for EXECUTE']);
});

test('tickets come from PostgreSQL unless Kafka is asked for, which needs its brokers and the orchestrator’s API', () => {
  expect(workerConfig(NEEDED).tickets).toEqual({ transport: 'postgres' });
  const kafka = { TICKET_TRANSPORT: 'kafka', KAFKA_BOOTSTRAP_SERVERS: 'kafka.example:9093' };
  const url = { EXECUTION_TICKET_SERVICE_URL: 'https://orchestrator.example:8443' };
  expect(workerConfig({ ...NEEDED, ...kafka, ...url }).tickets).toMatchObject({
    transport: 'kafka',
    kafka: { brokers: ['kafka.example:9093'], groupId: 'worker-agents' },
    orchestratorUrl: 'https://orchestrator.example:8443',
  });
  expect(problemsOf({ TICKET_TRANSPORT: 'kafka' }).map((problem) => problem.split(':')[0])).toEqual([
    'KAFKA_BOOTSTRAP_SERVERS',
    'EXECUTION_TICKET_SERVICE_URL',
  ]);
  expect(problemsOf({ ...kafka, EXECUTION_TICKET_SERVICE_URL: 'http://orchestrator.example' })).toEqual([
    'EXECUTION_TICKET_SERVICE_URL: must be an https address',
  ]);
  expect(problemsOf({ TICKET_TRANSPORT: 'carrier pigeons' })).toHaveLength(1);
});
