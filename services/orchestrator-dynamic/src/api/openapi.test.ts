import { Ajv2020 } from 'ajv/dist/2020.js';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PostgresPlanEngine } from '../adapters/postgres/plan-engine.ts';
import { DEFAULT_POLICY } from '../domain/index.ts';
import { ApiFixture, type Credentials } from '../testing/api-fixture.ts';
import { decisionOf, planOf } from '../testing/plans.ts';
import { startTestDatabase, type TestDatabase } from '../testing/test-database.ts';
import { TestWorker } from '../testing/test-worker.ts';
import { OPENAPI_PATH, openApiDocument } from './openapi.ts';
import { OPERATIONS } from './operations.ts';

interface Described {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, { content: Record<string, { schema: { $ref: string } }> }>>;
}
const document = openApiDocument() as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
};

test('docs/reference/orchestrator-openapi.json is what the schemas make (vitest -u writes it anew)', async () => {
  const text = `${JSON.stringify(openApiDocument(), null, 2)}\n`;
  await expect(text).toMatchFileSnapshot('../../../../docs/reference/orchestrator-openapi.json');
});

test('every operation is described once, with the refusals that every caller may get', () => {
  const described = Object.values(document.paths).flatMap((methods) => Object.values(methods));
  expect(described.map(({ operationId }) => operationId).sort()).toEqual(Object.keys(OPERATIONS).sort());
  for (const { responses } of described) expect(Object.keys(responses)).toEqual(expect.arrayContaining(['401', '403']));
});

const ajv = new Ajv2020({ strict: false, allErrors: true });
for (const [name, schema] of Object.entries(document.components.schemas))
  ajv.addSchema(schema, `#/components/schemas/${name}`);

/** What the document says against an answer; empty when it is as described. */
function against(operationId: string, status: number, body: unknown): unknown {
  const described = Object.values(document.paths)
    .flatMap((methods) => Object.values(methods))
    .find((one) => one.operationId === operationId);
  const [answer] = Object.values(described?.responses[status]?.content ?? {});
  if (answer === undefined) return `${operationId} does not answer ${status}`;
  return ajv.validate(answer.schema.$ref, body) ? [] : ajv.errors;
}

let database: TestDatabase;
let pool: pg.Pool;
let engine: PostgresPlanEngine;
let api: ApiFixture;
let worker: TestWorker;

beforeAll(async () => {
  database = await startTestDatabase();
  pool = new pg.Pool({ ...database.orchestrator, max: 10 });
  pool.on('error', () => undefined);
  engine = await PostgresPlanEngine.open({
    pool,
    admission: { check: async () => ({ kind: 'able', warning: null }) },
    policy: { ...DEFAULT_POLICY, retryBaseMs: 10, retryCapMs: 20 },
    pollMs: 20,
  });
  api = await ApiFixture.open(engine);
  worker = await TestWorker.open(database.worker, async ({ ticket }) =>
    ticket.task_id === 'bad' ? { errorClass: 'backend' } : undefined,
  );
});

afterAll(async () => {
  await worker?.close();
  await api?.close();
  await engine?.close();
  await pool?.end();
  await database?.stop();
});

/** Calls the API and holds the answer against the document. */
async function call(
  operationId: string,
  [method, path]: readonly [string, string],
  options: { body?: unknown; as?: Credentials; status?: number } = {},
) {
  const { body, as = api.operator, status = 200 } = options;
  const answer = await api.call(method, path, as, body);
  expect({ operationId, status: answer.status, against: against(operationId, answer.status, answer.body) }).toEqual({
    ...{ operationId, status, against: [] },
  });
  return answer.body;
}

test('the check itself finds an answer that is not as described', () => {
  expect(against('ListPlans', 200, { plans: [] })).toEqual([]);
  expect(against('ListPlans', 200, { plans: [{ id: 'a' }] })).not.toEqual([]);
  expect(against('ListPlans', 418, {})).toContain('418');
});

test('what the API answers is as it is described', { timeout: 60_000 }, async () => {
  const plan = planOf([{ id: 'good' }, { id: 'bad', needs: ['good'] }], { plan_id: 'described' });
  const waiting = planOf([{ id: 'a' }], { plan_id: 'waiting', requires_approval: true });
  await call('SubmitPlan', ['POST', '/api/v1/plans'], { body: plan, status: 201 });
  await call('SubmitPlan', ['POST', '/api/v1/plans'], { body: plan });
  await call('SubmitPlan', ['POST', '/api/v1/plans'], { body: { ...plan, intent_id: 'other' }, status: 409 });
  await call('SubmitPlan', ['POST', '/api/v1/plans'], { body: { plan_id: 7 }, status: 400 });
  await call('SubmitPlan', ['POST', '/api/v1/plans'], { body: plan, as: {}, status: 401 });
  const decided = decisionOf(waiting, { final_decision: 'review_required' });
  await call('SubmitDecision', ['POST', '/api/v1/decisions'], { body: decided, status: 201 });
  await call('GetPlan', ['GET', '/api/v1/plans/waiting']);
  await call('GetPlan', ['GET', '/api/v1/plans/nobody'], { status: 404 });
  await call('PausePlan', ['POST', '/api/v1/plans/waiting/pause']);
  await call('ResumePlan', ['POST', '/api/v1/plans/waiting/resume']);
  await call('ApprovePlan', ['POST', '/api/v1/plans/waiting/approve'], { body: { comment: 'go' } });
  await call('RejectPlan', ['POST', '/api/v1/plans/waiting/reject'], { status: 409 });
  await call('ApprovePlan', ['POST', '/api/v1/plans/waiting/approve'], { body: { word: 'go' }, status: 400 });
  await call('CancelPlan', ['POST', '/api/v1/plans/nobody/cancel'], { status: 404 });
  const lines: string[] = [];
  await api.stream('GET', '/api/v1/plans/described/events', api.operator, undefined, (chunk) => lines.push(chunk));
  const told = lines
    .join('')
    .split('\n')
    .filter((line) => line !== '');
  expect(told.length).toBeGreaterThan(5);
  for (const line of told) expect(against('WatchPlan', 200, JSON.parse(line))).toEqual([]);
  expect((await call('GetPlan', ['GET', '/api/v1/plans/described'])).status).toBe('FAILED');
  expect((await call('ListPlans', ['GET', '/api/v1/plans?limit=5'])).plans).toHaveLength(2);
  await call('ListPlans', ['GET', '/api/v1/plans?limit=many'], { status: 400 });
  expect((await call('ReadTelemetry', ['GET', '/api/v1/telemetry'])).events.length).toBeGreaterThan(1);
  const [letter] = (await call('ListDeadLetters', ['GET', '/api/v1/dead-letters'])).deadLetters;
  await call('GetDeadLetter', ['GET', `/api/v1/dead-letters/${letter.ticketId}`]);
  await call('RetryDeadLetter', ['POST', `/api/v1/dead-letters/${letter.ticketId}/retry`]);
  expect(await call('DescribeApi', ['GET', OPENAPI_PATH])).toEqual(JSON.parse(JSON.stringify(document)));
});
