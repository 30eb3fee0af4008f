import { AUDIENCES, MAX_PLAN_BYTES, SPIFFE_IDS } from '@neural-hive/contracts';
import { CertificateAuthority } from '@neural-hive/security/testing';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { PostgresPlanEngine } from '../adapters/postgres/plan-engine.ts';
import { DEFAULT_POLICY } from '../domain/index.ts';
import { ApiFixture, type Credentials } from '../testing/api-fixture.ts';
import { decisionOf, planOf } from '../testing/plans.ts';
import { startTestDatabase, type TestDatabase } from '../testing/test-database.ts';
import { TestWorker } from '../testing/test-worker.ts';

const APPROVER = 'spiffe://neural-hive.local/approver';
const CONSENSUS = 'spiffe://neural-hive.local/ns/neural-hive/sa/consensus-engine';

let database: TestDatabase;
let pool: pg.Pool;
let engine: PostgresPlanEngine;
let api: ApiFixture;
let worker: TestWorker | undefined;

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
  api = await ApiFixture.open(engine, {
    approve: [SPIFFE_IDS.operator, APPROVER],
    submit: [SPIFFE_IDS.operator, CONSENSUS],
  });
});

afterEach(async () => {
  await worker?.close();
  worker = undefined;
});

afterAll(async () => {
  await api?.close();
  await engine?.close();
  await pool?.end();
  await database?.stop();
});

/** Ids that no other test uses. */
let count = 0;
function waitingPlan(overrides: Parameters<typeof planOf>[1] = {}) {
  count += 1;
  return planOf([{ id: 'a' }], { plan_id: `api-${count}`, requires_approval: true, ...overrides });
}

async function stored(planId: string): Promise<number> {
  const { rowCount } = await pool.query(
    `select from orchestrator.plan where plan_id = $1 union all select from orchestrator.audit where plan_id = $1
     union all select from orchestrator.idempotency_key where key = 'plan:' || $1`,
    [planId],
  );
  return rowCount ?? 0;
}

describe('plans', () => {
  test('are submitted, approved and shown with who did what', async () => {
    const plan = waitingPlan();
    const submitted = await api.call('POST', '/api/v1/plans', api.operator, plan);
    expect(submitted).toMatchObject({
      status: 201,
      body: {
        id: plan.plan_id,
        status: 'AWAITING_APPROVAL',
        final: false,
        submittedBy: SPIFFE_IDS.operator,
        decision: 'review_required',
        approval: { verdict: 'pending', reasons: ['the plan asks for approval'], by: null },
        tickets: [{ taskId: 'a', type: 'EXECUTE', status: 'PENDING', attempt: 0 }],
      },
    });
    const path = `/api/v1/plans/${plan.plan_id}`;
    expect((await api.call('GET', path, api.operator)).body.status).toBe('AWAITING_APPROVAL');
    const approved = await api.call('POST', `${path}/approve`, api.operator, { comment: 'fine' });
    expect(approved).toMatchObject({
      status: 200,
      body: { approval: { verdict: 'approved', by: SPIFFE_IDS.operator, comment: 'fine' } },
    });
    expect((await api.call('POST', `${path}/approve`, api.operator)).status).toBe(200);
    expect(await api.call('POST', `${path}/reject`, api.operator)).toMatchObject({
      status: 409,
      body: { error: { code: 'conflict' } },
    });
    const { rows } = await pool.query(
      'select action, spiffe_id from orchestrator.audit where plan_id = $1 order by audit_id',
      [plan.plan_id],
    );
    expect(rows).toEqual([
      { action: 'submit', spiffe_id: SPIFFE_IDS.operator },
      { action: 'approve', spiffe_id: SPIFFE_IDS.operator },
    ]);
  });

  test('are accepted once: the same again is a no-op, other content under the id a conflict', async () => {
    const plan = waitingPlan();
    expect((await api.call('POST', '/api/v1/plans', api.operator, plan)).status).toBe(201);
    const reordered = Object.fromEntries(Object.entries(plan).reverse());
    expect((await api.call('POST', '/api/v1/plans', api.operator, reordered)).status).toBe(200);
    const other = await api.call('POST', '/api/v1/plans', api.operator, { ...plan, risk_score: 0.3 });
    expect(other).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } });
  });

  test('are listed, the newest first, and can be rejected and cancelled', async () => {
    const [first, second] = [waitingPlan(), waitingPlan()];
    for (const plan of [first, second]) await api.call('POST', '/api/v1/plans', api.operator, plan);
    const listed = await api.call('GET', '/api/v1/plans?status=AWAITING_APPROVAL&limit=2', api.operator);
    expect(listed.body.plans.map(({ id }: { id: string }) => id)).toEqual([second.plan_id, first.plan_id]);
    const rejected = await api.call('POST', `/api/v1/plans/${first.plan_id}/reject`, api.operator);
    expect(rejected.body).toMatchObject({ status: 'REJECTED', final: true });
    const cancelled = await api.call('POST', `/api/v1/plans/${second.plan_id}/cancel`, api.operator, {
      reason: 'late',
    });
    expect(cancelled.body).toMatchObject({ status: 'CANCELLED', final: true });
  });

  test('that nobody knows are 404, as is everything else', async () => {
    for (const path of ['/api/v1/plans/none', '/api/v1/plans/none/events', '/api/v1/plans/%00', '/elsewhere']) {
      expect(await api.call('GET', path, api.operator)).toMatchObject({
        status: 404,
        body: { error: { code: 'not_found' } },
      });
    }
    expect((await api.call('POST', '/api/v1/plans/none/approve', api.operator)).status).toBe(404);
  });
});

describe('decisions', () => {
  test('start the plan that they bring along, once, under the identity that brought them', async () => {
    const decision = decisionOf(waitingPlan({ requires_approval: false }), { final_decision: 'conditional' });
    const consensus = { token: api.tokenOf({ id: CONSENSUS }) };
    const submitted = await api.call('POST', '/api/v1/decisions', consensus, decision);
    expect(submitted).toMatchObject({
      status: 201,
      body: {
        status: 'AWAITING_APPROVAL',
        submittedBy: CONSENSUS,
        decisionId: decision.decision_id,
        decision: 'conditional',
        approval: { reasons: ['the decision is conditional'] },
      },
    });
    expect((await api.call('POST', '/api/v1/decisions', consensus, decision)).status).toBe(200);
    const approved = { ...decision, final_decision: 'approve' };
    expect((await api.call('POST', '/api/v1/decisions', consensus, approved)).status).toBe(409);
    expect((await api.call('POST', '/api/v1/plans', consensus, decision.cognitive_plan)).status).toBe(409);
  });

  test('that are bad are refused with every problem, and nothing is stored', async () => {
    const plan = waitingPlan();
    const bad = { ...decisionOf(plan), aggregated_risk: 7, cognitive_plan: { ...plan, risk_score: 7 } };
    const answer = await api.call('POST', '/api/v1/decisions', api.operator, bad);
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'invalid_plan' } } });
    const paths = answer.body.error.problems.map(({ path }: { path: string }) => path).sort();
    expect(paths).toEqual(['$.aggregated_risk', '$.cognitive_plan.risk_score']);
    expect(await stored(plan.plan_id)).toBe(0);
  });
});

describe('roles', () => {
  test('let each identity do what it is for, and all of them read', async () => {
    const plan = waitingPlan();
    const path = `/api/v1/plans/${plan.plan_id}`;
    const approver = { token: api.tokenOf({ id: APPROVER }) };
    const consensus = { token: api.tokenOf({ id: CONSENSUS }) };
    expect((await api.call('POST', '/api/v1/plans', approver, plan)).status).toBe(403);
    expect((await api.call('POST', '/api/v1/plans', consensus, plan)).status).toBe(201);
    expect((await api.call('POST', `${path}/approve`, consensus)).status).toBe(403);
    expect((await api.call('POST', `${path}/cancel`, approver)).status).toBe(403);
    for (const reader of [approver, consensus, api.operator]) {
      expect((await api.call('GET', path, reader)).body.status).toBe('AWAITING_APPROVAL');
    }
    const approved = await api.call('POST', `${path}/approve`, approver);
    expect(approved.body.approval).toMatchObject({ verdict: 'approved', by: APPROVER });
  });
});

describe('progress', () => {
  test('streams until the plan has ended and goes on after any line', async () => {
    const plan = waitingPlan();
    await api.call('POST', '/api/v1/plans', api.operator, plan);
    const path = `/api/v1/plans/${plan.plan_id}`;
    worker = await TestWorker.open(database.worker);
    let text = '';
    const ended = api.stream('GET', `${path}/events`, api.operator, undefined, (chunk) => {
      text += chunk;
    });
    await api.call('POST', `${path}/approve`, api.operator);
    expect(await ended).toBe(200);
    const linesOf = (stream: string) =>
      stream
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line));
    const lines = linesOf(text);
    expect(lines.map(({ type, status }) => `${type} ${status}`)).toEqual([
      'plan AWAITING_APPROVAL',
      'plan ADMITTING',
      'plan RUNNING',
      'ticket PENDING',
      'ticket RUNNING',
      'ticket COMPLETED',
      'plan COMPLETED',
    ]);
    expect(lines[5]).toMatchObject({ taskId: 'a', worker: 'test-worker', attempt: 1, durationMs: expect.any(Number) });
    let rest = '';
    await api.stream('GET', `${path}/events?after=${lines[3].seq}`, api.operator, undefined, (chunk) => {
      rest += chunk;
    });
    expect(linesOf(rest)).toEqual(lines.slice(4));
    const told = async (after: string) => {
      const { body } = await api.call('GET', `/api/v1/telemetry?limit=1000&after=${after}`, api.operator);
      return body.events.filter((event: { plan_id: string }) => event.plan_id === plan.plan_id);
    };
    await expect
      .poll(() => told('0-0'), { timeout: 10_000 })
      .toMatchObject([{ event_type: 'FLOW_C_STARTED' }, { event_type: 'FLOW_C_COMPLETED', success: true }]);
    expect(await told((await told('0-0'))[1].cursor)).toEqual([]);
    expect((await api.call('GET', '/api/v1/telemetry?after=x', api.operator)).status).toBe(400);
    expect((await api.call('GET', `${path}/events?after=${lines[6].seq}`, api.operator)).status).toBe(200);
  });
});

describe('dead letters', () => {
  test('are listed, shown and tried again by those who may submit', async () => {
    const plan = waitingPlan({ requires_approval: false });
    worker = await TestWorker.open(database.worker, async () => ({ errorClass: 'backend' }));
    await api.call('POST', '/api/v1/plans', api.operator, plan);
    const listed = async () => {
      const { body } = await api.call('GET', '/api/v1/dead-letters', api.operator);
      return body.deadLetters.find(({ planId }: { planId: string }) => planId === plan.plan_id);
    };
    await expect.poll(listed, { timeout: 20_000 }).toMatchObject({ taskId: 'a', errorClass: 'backend' });
    const { ticketId } = await listed();
    const path = `/api/v1/dead-letters/${ticketId}`;
    expect((await api.call('GET', path, api.operator)).body).toMatchObject({ ticketId, retriedAs: null });
    const approver = { token: api.tokenOf({ id: APPROVER }) };
    expect((await api.call('POST', `${path}/retry`, approver)).status).toBe(403);
    const ended = async () => (await api.call('GET', `/api/v1/plans/${plan.plan_id}`, api.operator)).body.final;
    await expect.poll(ended, { timeout: 20_000 }).toBe(true);
    const retried = await api.call('POST', `${path}/retry`, api.operator);
    expect(retried).toMatchObject({
      status: 200,
      body: { retriedAs: `${plan.plan_id}.r1`, plan: { id: `${plan.plan_id}.r1`, submittedBy: SPIFFE_IDS.operator } },
    });
    expect((await api.call('GET', '/api/v1/dead-letters/none', api.operator)).status).toBe(404);
    expect((await api.call('POST', '/api/v1/dead-letters/none/retry', api.operator)).status).toBe(404);
  });
});

describe('a body', () => {
  test('of a bad plan is refused with every problem, and nothing is stored', async () => {
    const plan = waitingPlan();
    const bad = { ...plan, risk_band: 'purple', tasks: [{ ...plan.tasks[0], dependencies: ['ghost', 'a'] }] };
    const answer = await api.call('POST', '/api/v1/plans', api.operator, bad);
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'invalid_plan' } } });
    const paths = answer.body.error.problems.map(({ path }: { path: string }) => path).sort();
    expect(paths).toEqual(['$.risk_band', '$.tasks[0].dependencies[0]', '$.tasks[0].dependencies[1]']);
    expect(await stored(plan.plan_id)).toBe(0);
    // The positive control: without the problems it is taken.
    expect((await api.call('POST', '/api/v1/plans', api.operator, plan)).status).toBe(201);
    expect(await stored(plan.plan_id)).toBe(3);
  });

  test.each([
    ['no JSON', '{', 400, 'invalid_json'],
    ['JSON with a name twice', '{"plan_id":"a","plan_id":"b"}', 400, 'invalid_json'],
    ['nothing', undefined, 400, 'invalid_json'],
    ['more than the limit', `"${'x'.repeat(2 * MAX_PLAN_BYTES)}"`, 413, 'too_large'],
  ])('of %s is refused', async (_name, text, status, code) => {
    const body = text === undefined ? undefined : Buffer.from(text);
    // A server that refuses a body early may cut the connection under the client's pen.
    const answer = await api.call('POST', '/api/v1/plans', api.operator, body);
    expect(answer).toMatchObject({ status, body: { error: { code } } });
  });

  test('of a wish with a field that means nothing is refused', async () => {
    const plan = waitingPlan();
    await api.call('POST', '/api/v1/plans', api.operator, plan);
    const answer = await api.call('POST', `/api/v1/plans/${plan.plan_id}/approve`, api.operator, { approvedBy: 'me' });
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'invalid_request' } } });
  });
});

describe('callers', () => {
  const LIST = ['GET', '/api/v1/plans'] as const;

  test('prove themselves by X509-SVID, by JWT-SVID or by both', async () => {
    expect((await api.call(...LIST, { svid: SPIFFE_IDS.operator })).status).toBe(200);
    expect((await api.call(...LIST, api.operator)).status).toBe(200);
    expect((await api.call(...LIST, { ...api.operator, svid: SPIFFE_IDS.operator })).status).toBe(200);
  });

  const foreign = CertificateAuthority.create('elsewhere.example');
  const forger = CertificateAuthority.create('neural-hive.local');
  const refusals: readonly [string, () => Credentials, number, string][] = [
    ['nothing', () => ({}), 401, 'missing_token'],
    ['another audience', () => ({ token: api.tokenOf({ audience: AUDIENCES.registry }) }), 401, 'wrong_audience'],
    [
      'an expired token',
      () => ({ token: api.tokenOf({ ttlSeconds: 1, issuedAtMs: Date.now() - 2_000 }) }),
      401,
      'expired',
    ],
    ['another issuer', () => ({ token: api.tokenOf({ issuer: 'https://other' }) }), 401, 'wrong_issuer'],
    [
      'a foreign trust domain',
      () => ({
        token: foreign.issueJwtSvid({
          id: 'spiffe://elsewhere.example/operator',
          audience: AUDIENCES.orchestrator,
          ttlSeconds: 60,
        }),
      }),
      401,
      'untrusted_domain',
    ],
    [
      'a forged signature',
      () => ({
        token: forger.issueJwtSvid({ id: SPIFFE_IDS.operator, audience: AUDIENCES.orchestrator, ttlSeconds: 60 }),
      }),
      401,
      'invalid_signature',
    ],
    ['two tokens', () => ({ token: [api.tokenOf(), api.tokenOf()] }), 401, 'malformed_token'],
    ['a worker', () => ({ token: api.tokenOf({ id: SPIFFE_IDS.worker }) }), 403, 'not_allowed'],
    ['the registry by X509-SVID', () => ({ svid: SPIFFE_IDS.registry }), 403, 'not_allowed'],
    ['two identities', () => ({ token: api.tokenOf(), svid: SPIFFE_IDS.worker }), 401, 'identities_differ'],
  ];

  test.each(refusals)(
    'that show %s are refused, counted and logged without the token',
    async (_name, show, status, reason) => {
      expect((await api.call(...LIST, api.operator)).status).toBe(200);
      const before = { failures: api.failures.length, log: api.log.length };
      const credentials = show();
      const plan = waitingPlan();
      const answer = await api.call('POST', '/api/v1/plans', credentials, plan);
      expect(answer.status).toBe(status);
      expect(answer.body.error.code).toBe(status === 401 ? 'unauthenticated' : 'permission_denied');
      expect(api.failures.slice(before.failures)).toEqual([`SubmitPlan ${reason}`]);
      const lines = api.log.slice(before.log);
      expect(lines).toMatchObject([{ operation: 'SubmitPlan', reason, message: 'a caller was refused' }]);
      for (const token of [credentials.token ?? []].flat()) {
        expect(JSON.stringify([lines, answer])).not.toContain(token.split('.')[2]);
      }
      expect(await stored(plan.plan_id)).toBe(0);
    },
  );

  test('whose certificate is of a foreign trust domain do not even connect', async () => {
    const stranger = { svid: 'spiffe://elsewhere.example/operator', authority: foreign };
    expect((await api.call(...LIST, { svid: SPIFFE_IDS.operator })).status).toBe(200);
    await expect(api.call(...LIST, stranger)).rejects.toThrow();
  });

  test('are refused before their body is read', async () => {
    const huge = Buffer.from(`"${'x'.repeat(2 * MAX_PLAN_BYTES)}"`);
    expect(await api.call('POST', '/api/v1/plans', {}, huge)).toMatchObject({ status: 401 });
  });
});
