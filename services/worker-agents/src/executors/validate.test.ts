import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { ExecutionTicket } from '@neural-hive/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ArtifactStore } from '../adapters/filesystem/artifact-store.ts';
import { PolicyClient } from '../adapters/opa/policy-client.ts';
import type { Execution, Executor } from '../domain/executor.ts';
import { failureOf, type TicketFailure } from '../domain/failure.ts';
import { openFolder } from '../testing/guards.ts';
import { executionOf, ticketOf } from '../testing/tickets.ts';
import { validateExecutor } from './validate.ts';

const base = openFolder('validate');
const project = join(base, 'projects', 'app');
const sha256 = createHash('sha256').update('content').digest('hex');
const schema = {
  type: 'object',
  properties: { name: { type: 'string', minLength: 2 }, at: { type: 'string', format: 'date' } },
  required: ['name'],
  additionalProperties: false,
};

let opa: Server;
let asked: { path: string | undefined; body: string }[];
/** What the policy server answers to the next questions, by path. */
const answers = new Map<string, { status?: number; body: string }>();
let executor: Executor;

beforeAll(async () => {
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, 'file.txt'), 'content');
  writeFileSync(join(base, 'private.txt'), 'content');
  symlinkSync(join(base, 'private.txt'), join(project, 'link.txt'));
  writeFileSync(join(project, 'schema.json'), JSON.stringify(schema));
  writeFileSync(join(project, 'none.json'), '{"type":"nothing"}');
  writeFileSync(join(project, 'slow.json'), '{"type":"string","pattern":"^(a+)+$"}');
  writeFileSync(join(project, 'good.json'), '{"name":"abc","at":"2026-01-31"}');
  asked = [];
  opa = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    asked.push({ path: request.url, body });
    const { status = 200, body: said } = answers.get(request.url ?? '') ?? { body: '{}' };
    response.writeHead(status).end(said);
  }).listen(0, '127.0.0.1');
  await once(opa, 'listening');
  const client = new PolicyClient({ url: `http://127.0.0.1:${(opa.address() as AddressInfo).port}` });
  executor = validateExecutor({
    projects: join(base, 'projects'),
    artifacts: await ArtifactStore.open(join(base, 'artifacts')),
    policies: { client, names: ['deploy/allow', 'gone'] },
  });
});
afterAll(() => {
  opa?.closeAllConnections();
  opa?.close();
});

function run(
  parameters: Record<string, string>,
  more: Partial<ExecutionTicket> = {},
  execution: Partial<Execution> = {},
) {
  return executor.execute(executionOf(ticketOf({ task_type: 'VALIDATE', parameters, ...more }), execution));
}

async function failure(running: Promise<unknown>): Promise<TicketFailure> {
  const error = await running.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Error);
  return failureOf(error);
}

describe('a checksum', () => {
  const CHECK = { kind: 'checksum', project: 'app', file: 'file.txt', sha256 };

  test('is that of the file, or the ticket fails with what it is', async () => {
    expect((await run(CHECK)).output).toEqual({ valid: 'true', sha256 });
    expect(await failure(run({ ...CHECK, sha256: 'a'.repeat(64) }))).toMatchObject({
      code: 'execution',
      output: { valid: 'false', sha256 },
    });
  });

  test.each([
    ['a file that is not there', { file: 'gone.txt' }],
    ['a link, which leads out', { file: 'link.txt' }],
    ['a path that leads out', { file: '../../private.txt' }],
    ['a digest that is none', { sha256: 'abc' }],
    ['an artifact as well', { artifact: 'a'.repeat(64) }],
    ['another kind', { kind: 'signature' }],
  ])('is not taken of %s', async (_name, change) => {
    expect(await failure(run({ ...CHECK, ...change }))).toMatchObject({ code: 'parameters' });
  });
});

describe('a JSON Schema', () => {
  const CHECK = { kind: 'json_schema', schema_project: 'app', schema: 'schema.json' };

  test('holds for a document of the ticket, of a dependency, or of a file', async () => {
    expect((await run({ ...CHECK, document: '{"name":"abc"}' })).output).toEqual({ valid: 'true' });
    const metadata = { 'dependency.q.rows': '{"name":"abc"}' };
    expect((await run({ ...CHECK, document_from: 'q.rows' }, { metadata })).output).toEqual({ valid: 'true' });
    expect((await run({ ...CHECK, project: 'app', file: 'good.json' })).output).toEqual({ valid: 'true' });
  });

  test('lists everything that is wrong', async () => {
    const { code, output } = await failure(run({ ...CHECK, document: '{"name":"a","at":"x","more":1}' }));
    expect([code, output.valid]).toEqual(['execution', 'false']);
    const problems = (output.problems ?? '').split('\n');
    expect(problems.map((line) => line.split(':')[0]).sort()).toEqual(['/', '/at', '/name']);
  });

  test('does not hold for what is no JSON', async () => {
    expect(await failure(run({ ...CHECK, document: '{' }))).toMatchObject({ output: { problems: '/: is no JSON' } });
  });

  test.each([
    ['a schema that is none', { schema: 'none.json' }],
    ['a schema that is not there', { schema: 'gone.json' }],
    ['no document', { document: undefined }],
    ['two documents', { project: 'app', file: 'good.json' }],
  ])('is refused with %s', async (_name, change) => {
    const parameters = Object.fromEntries(
      Object.entries({ ...CHECK, document: '{}', ...change }).filter(([, value]) => value !== undefined),
    ) as Record<string, string>;
    expect(await failure(run(parameters))).toMatchObject({ code: 'parameters' });
  });

  test('whose pattern takes for ever costs the attempt its time and nobody else', async () => {
    const parameters = { ...CHECK, schema: 'slow.json', document: JSON.stringify(`${'a'.repeat(40)}!`) };
    expect((await run({ ...parameters, document: '"aaa"' })).output).toEqual({ valid: 'true' });
    expect((await failure(run(parameters, {}, { timeoutMs: 1_000 }))).code).toBe('timeout');
  });
});

describe('a policy', () => {
  const ASK = { kind: 'policy', policy: 'deploy/allow', input: '{"target":"app"}' };
  const PATH = '/v1/data/deploy/allow';

  test('is asked about the input, and says yes', async () => {
    answers.set(PATH, { body: '{"result":true}' });
    expect((await run(ASK)).output).toEqual({ valid: 'true' });
    expect(asked.at(-1)).toEqual({ path: PATH, body: '{"input":{"target":"app"}}' });
    answers.set(PATH, { body: '{"result":{"allow":true,"deny":[]}}' });
    expect((await run(ASK)).output).toEqual({ valid: 'true' });
  });

  test.each([
    ['{"result":false}', 'the policy deploy/allow says no'],
    ['{"result":{"allow":false,"reasons":["not on Friday"]}}', 'not on Friday'],
    ['{"result":{"allow":true,"deny":["no ticket"]}}', 'no ticket'],
    ['{"result":{"deny":["a","b"]}}', 'a\nb'],
  ])('that answers %s says no, and why', async (body, problems) => {
    answers.set(PATH, { body });
    expect(await failure(run(ASK))).toMatchObject({ code: 'execution', output: { valid: 'false', problems } });
  });

  test('that is not there says no', async () => {
    answers.set('/v1/data/gone', { body: '{}' });
    expect(await failure(run({ ...ASK, policy: 'gone' }))).toMatchObject({ code: 'execution' });
  });

  test.each([
    ['an error', { status: 500, body: '{}' }],
    ['what is no decision', { body: '{"result":"yes"}' }],
    ['what is no JSON', { body: 'yes' }],
  ])('whose server answers %s has not decided: it is asked again', async (_name, answer) => {
    answers.set(PATH, answer);
    expect(await failure(run(ASK))).toMatchObject({ code: 'backend' });
  });

  test.each([
    ['a policy that is not on the list', { policy: 'other' }],
    ['a path', { policy: 'deploy/allow/../../secrets' }],
    ['an input that is no JSON', { input: '{' }],
    ['no input', { input: undefined }],
  ])('is not asked for %s', async (_name, change) => {
    const parameters = Object.fromEntries(
      Object.entries({ ...ASK, ...change }).filter(([, value]) => value !== undefined),
    ) as Record<string, string>;
    const before = asked.length;
    expect(await failure(run(parameters))).toMatchObject({ code: 'parameters' });
    expect(asked).toHaveLength(before);
  });

  test('is asked of https, or of this machine', () => {
    expect(new PolicyClient({ url: 'https://opa.example' })).toBeDefined();
    expect(() => new PolicyClient({ url: 'http://opa.example' })).toThrow(RangeError);
  });
});
