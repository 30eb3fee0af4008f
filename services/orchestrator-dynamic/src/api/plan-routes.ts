import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from 'fastify';
import { z } from 'zod';
import {
  checkDecision,
  checkPlan,
  PLAN_STATUSES,
  type PlanProblem,
  type PlanState,
  viewPlan,
} from '../domain/index.ts';
import { isTelemetryCursor, type PlanEngine, type SubmitOutcome, type WishAction } from '../ports/plan-engine.ts';
import { ApiError } from './api-error.ts';
import type { Operation } from './operations.ts';
import { progressLines } from './progress-stream.ts';
import { readJson, readQuery, readWish } from './requests.ts';

export interface PlanRoutesOptions {
  readonly engine: PlanEngine;
  /** What a route needs so that only who may have `operation` done gets through, before the body is read. */
  readonly may: (operation: Operation) => RouteShorthandOptions;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Aborted when the service stops: ends the streams. */
  readonly signal: AbortSignal;
}

const text = z.string().max(4_096).nullable().default(null);
export const WISHES = {
  approve: { operation: 'ApprovePlan', body: z.strictObject({ comment: text }).transform(({ comment }) => comment) },
  reject: { operation: 'RejectPlan', body: z.strictObject({ comment: text }).transform(({ comment }) => comment) },
  cancel: { operation: 'CancelPlan', body: z.strictObject({ reason: text }).transform(({ reason }) => reason) },
  pause: { operation: 'PausePlan', body: z.strictObject({}).transform(() => null) },
  resume: { operation: 'ResumePlan', body: z.strictObject({}).transform(() => null) },
} as const satisfies Record<WishAction, { operation: Operation; body: z.ZodType<string | null> }>;

export const planListQuery = z.strictObject({
  status: z.enum(PLAN_STATUSES).optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});
export const telemetryQuery = z.strictObject({
  after: z.string().refine(isTelemetryCursor, 'must be the cursor of an event').default('0-0'),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});
export const eventsQuery = z.strictObject({ after: z.coerce.number().int().min(0).default(0) });

/** `/api/v1/plans`, what is below it, `/api/v1/decisions` and `/api/v1/telemetry`. Every route names its operation; the caller is checked before the body is read. */
export function planRoutes(app: FastifyInstance, options: PlanRoutesOptions): void {
  const { engine, may, now, signal } = options;

  app.post('/api/v1/plans', may('SubmitPlan'), async (request, reply) => {
    const checked = checkPlan(readJson(request.body), now());
    if (!checked.ok) throw invalidPlan('plan', checked.problems);
    return accept(await engine.submit(checked.plan, request.callerId), checked.plan.plan_id, reply);
  });

  app.post('/api/v1/decisions', may('SubmitDecision'), async (request, reply) => {
    const checked = checkDecision(readJson(request.body), now());
    if (!checked.ok) throw invalidPlan('decision', checked.problems);
    const { decision, plan } = checked;
    return accept(await engine.submit(plan, request.callerId, decision), plan.plan_id, reply);
  });

  app.get('/api/v1/plans', may('ListPlans'), async (request) => {
    const { status, limit } = readQuery(planListQuery, request);
    return { plans: await engine.list({ status, limit }) };
  });

  app.get('/api/v1/plans/:id', may('GetPlan'), async (request) => viewPlan(await findPlan(engine, request)));

  app.get('/api/v1/plans/:id/events', may('WatchPlan'), async (request, reply) => {
    const { after } = readQuery(eventsQuery, request);
    const { plan } = await findPlan(engine, request);
    return streamProgress(reply, progressLines(engine, plan.plan_id, after, gone(request, signal)));
  });

  app.get('/api/v1/telemetry', may('ReadTelemetry'), async (request) => {
    const { after, limit } = readQuery(telemetryQuery, request);
    return engine.telemetryAfter(after, limit);
  });

  for (const action of Object.keys(WISHES) as WishAction[]) {
    const { operation, body } = WISHES[action];
    app.post(`/api/v1/plans/:id/${action}`, may(operation), async (request) => {
      const text = readWish(body, request);
      const outcome = await engine.wish(idOf(request), { action, by: request.callerId, text });
      if (outcome.kind === 'unknown') throw unknownPlan(request);
      // Wishing again for what was done already is no conflict.
      if (outcome.kind === 'refused' && !isFulfilled(action, outcome.state)) {
        throw new ApiError('conflict', `cannot ${action}: ${outcome.reason}`);
      }
      return viewPlan(outcome.state);
    });
  }
}

function accept(outcome: SubmitOutcome, planId: string, reply: FastifyReply) {
  if (outcome.kind === 'conflict') {
    throw new ApiError('conflict', `another plan has the id ${planId}: give this one an id of its own`);
  }
  reply.code(outcome.created ? 201 : 200).header('location', `/api/v1/plans/${encodeURIComponent(planId)}`);
  return viewPlan(outcome.state);
}

function invalidPlan(what: 'plan' | 'decision', problems: readonly PlanProblem[]): ApiError {
  return new ApiError('invalid_plan', `the ${what} has ${problems.length} problem(s) and was not stored`, { problems });
}

function isFulfilled(action: WishAction, { approval, outcome, status }: PlanState): boolean {
  if (action === 'approve') return approval.verdict === 'approved';
  if (action === 'reject') return approval.verdict === 'rejected';
  return action === 'cancel' && (outcome === 'CANCELLED' || status === 'CANCELLED');
}

async function findPlan(engine: PlanEngine, request: FastifyRequest): Promise<PlanState> {
  const state = await engine.find(idOf(request));
  if (state === undefined) throw unknownPlan(request);
  return state;
}

function idOf(request: FastifyRequest): string {
  const { id } = request.params as { id: string };
  // What no plan id looks like is unknown; the database would refuse some of it.
  return /^[A-Za-z0-9._:-]{1,128}$/.test(id) ? id : '';
}

function unknownPlan(request: FastifyRequest): ApiError {
  return new ApiError('not_found', `there is no plan ${JSON.stringify((request.params as { id: string }).id)}`);
}

/** Aborted when the reader has gone or the service stops. */
function gone(request: FastifyRequest, signal: AbortSignal): AbortSignal {
  const leaving = new AbortController();
  request.raw.socket.once('close', () => leaving.abort());
  return AbortSignal.any([signal, leaving.signal]);
}

function streamProgress(reply: FastifyReply, lines: AsyncGenerator<string>): FastifyReply {
  return reply
    .header('content-type', 'application/x-ndjson')
    .header('cache-control', 'no-store')
    .send(Readable.from(lines, { objectMode: false, encoding: 'utf8' }));
}
