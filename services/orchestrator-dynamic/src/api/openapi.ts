import {
  claimAnswer,
  claimRequest,
  cognitivePlan,
  consolidatedDecision,
  heartbeatAnswer,
  holderRequest,
  MAX_PLAN_BYTES,
  releaseAnswer,
} from '@neural-hive/contracts';
import { z } from 'zod';
import {
  deadLetterAnswer,
  deadLetterListAnswer,
  deadLetterRetryAnswer,
  errorAnswer,
  planAnswer,
  planListAnswer,
  progressAnswer,
  telemetryAnswer,
} from './answers.ts';
import { deadLetterListQuery } from './dead-letter-routes.ts';
import { OPERATIONS, type Operation } from './operations.ts';
import { eventsQuery, planListQuery, telemetryQuery, WISHES } from './plan-routes.ts';

/** Where the description is served. */
export const OPENAPI_PATH = '/api/v1/openapi.json';

interface Described {
  readonly operation: Operation;
  readonly method: 'get' | 'post';
  /** With `:name` for what varies, as the routes are written. */
  readonly path: string;
  readonly summary: string;
  readonly query?: z.ZodObject;
  readonly body?: { readonly schema: z.ZodType; readonly required: boolean };
  /** By status. */
  readonly answers: Readonly<Record<number, { readonly says: string; readonly schema: string }>>;
  /** Instead of JSON. */
  readonly contentType?: string;
  /** Statuses of an error beside those that every operation has. */
  readonly errors: readonly number[];
}

const SCHEMAS = {
  Plan: planAnswer,
  PlanList: planListAnswer,
  ProgressLine: progressAnswer,
  TelemetryPage: telemetryAnswer,
  DeadLetter: deadLetterAnswer,
  DeadLetterList: deadLetterListAnswer,
  DeadLetterRetry: deadLetterRetryAnswer,
  TicketClaim: claimAnswer,
  TicketHeartbeat: heartbeatAnswer,
  TicketRelease: releaseAnswer,
  Description: z.looseObject({ openapi: z.string() }),
  Error: errorAnswer,
} as const satisfies Record<string, z.ZodType>;

const one = (schema: keyof typeof SCHEMAS, says: string): Described['answers'] => ({ 200: { says, schema } });
const accepted = {
  201: { says: 'it was stored', schema: 'Plan' },
  200: { says: 'it was here already', schema: 'Plan' },
};

const DESCRIBED: readonly Described[] = [
  {
    ...{ operation: 'SubmitPlan', method: 'post', path: '/api/v1/plans', summary: 'Submit a plan' },
    body: { schema: cognitivePlan, required: true },
    ...{ answers: accepted, errors: [400, 409, 413, 415] },
  },
  {
    ...{ operation: 'SubmitDecision', method: 'post', path: '/api/v1/decisions' },
    summary: 'Submit a decision that brings its plan along',
    body: { schema: consolidatedDecision, required: true },
    ...{ answers: accepted, errors: [400, 409, 413, 415] },
  },
  {
    ...{ operation: 'ListPlans', method: 'get', path: '/api/v1/plans', summary: 'List plans, the newest first' },
    ...{ query: planListQuery, answers: one('PlanList', 'plans without their tickets'), errors: [400] },
  },
  {
    ...{ operation: 'GetPlan', method: 'get', path: '/api/v1/plans/:id', summary: 'Read a plan and its tickets' },
    ...{ answers: one('Plan', 'the plan'), errors: [404] },
  },
  {
    ...{ operation: 'WatchPlan', method: 'get', path: '/api/v1/plans/:id/events', query: eventsQuery },
    summary: 'Follow a plan until it has ended; `after` goes on behind a line',
    contentType: 'application/x-ndjson',
    ...{ answers: one('ProgressLine', 'a line of JSON each; an empty line shows that the stream lives') },
    errors: [400, 404],
  },
  ...Object.entries(WISHES).map(([action, { operation, body }]) => ({
    ...{ operation, method: 'post' as const, path: `/api/v1/plans/:id/${action}` },
    summary: `${action.slice(0, 1).toUpperCase()}${action.slice(1)} a plan`,
    body: { schema: body, required: false },
    ...{ answers: one('Plan', 'the plan as it is now'), errors: [400, 404, 409] },
  })),
  {
    ...{ operation: 'ReadTelemetry', method: 'get', path: '/api/v1/telemetry', query: telemetryQuery },
    summary: 'Read what happens to all plans, in pages',
    ...{ answers: one('TelemetryPage', 'events behind `after`, the oldest first'), errors: [400] },
  },
  {
    ...{ operation: 'DescribeApi', method: 'get', path: OPENAPI_PATH, summary: 'Read this description' },
    ...{ answers: one('Description', 'an OpenAPI document'), errors: [] },
  },
  {
    ...{ operation: 'ListDeadLetters', method: 'get', path: '/api/v1/dead-letters', query: deadLetterListQuery },
    summary: 'List tickets that were given up, the newest first',
    ...{ answers: one('DeadLetterList', 'dead letters'), errors: [400] },
  },
  {
    ...{ operation: 'GetDeadLetter', method: 'get', path: '/api/v1/dead-letters/:id' },
    summary: 'Read why a ticket was given up',
    ...{ answers: one('DeadLetter', 'the dead letter'), errors: [404] },
  },
  {
    ...{ operation: 'RetryDeadLetter', method: 'post', path: '/api/v1/dead-letters/:id/retry' },
    summary: 'Try a ticket again: an undo within its plan, of any other ticket the whole plan',
    ...{ answers: one('DeadLetterRetry', 'what it is tried again as, and that plan'), errors: [400, 404, 409] },
  },
  {
    ...{ operation: 'ClaimTicket', method: 'post', path: '/v1/tickets/:id/claim' },
    summary: 'Hold a ticket that came over the bus; only where tickets travel so',
    body: { schema: claimRequest, required: true },
    ...{ answers: one('TicketClaim', 'whether the caller holds it now'), errors: [400, 404] },
  },
  {
    ...{ operation: 'HeartbeatTicket', method: 'post', path: '/v1/tickets/:id/heartbeat' },
    summary: 'Go on holding a ticket',
    body: { schema: holderRequest, required: true },
    ...{ answers: one('TicketHeartbeat', 'whether the caller still holds it'), errors: [400, 404] },
  },
  {
    ...{ operation: 'ReleaseTicket', method: 'post', path: '/v1/tickets/:id/release' },
    summary: 'Hand a ticket back',
    body: { schema: holderRequest, required: true },
    ...{ answers: one('TicketRelease', 'whether it was the caller’s to hand back'), errors: [400, 404] },
  },
];

const ERRORS: Readonly<Record<number, string>> = {
  400: 'the request, or what it brings, is not as it should be; every problem is listed',
  401: 'the caller did not prove who it is',
  403: 'the caller may not have this done',
  404: 'there is no such thing',
  409: 'it cannot be done as things are',
  413: `a body may have at most ${MAX_PLAN_BYTES} bytes`,
  415: 'send JSON',
  500: 'the orchestrator could not do it',
};
const EVERYWHERE = [401, 403, 500];

/** The HTTP API of plans as an OpenAPI 3.1 document, made of the schemas that requests are read with. */
export function openApiDocument(): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, object>> = {};
  for (const described of DESCRIBED) {
    const path = described.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [described.method]: describe(described) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'orchestrator-dynamic',
      version: '0.1.0',
      description: 'Plans, their progress, and what became of them. Callers show an X509-SVID, a JWT-SVID, or both.',
    },
    security: [{ x509Svid: [] }, { jwtSvid: [] }],
    paths,
    components: {
      securitySchemes: {
        x509Svid: { type: 'mutualTLS', description: 'an X509-SVID of the trust domain' },
        jwtSvid: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT-SVID for the audience of the orchestrator' },
      },
      schemas: Object.fromEntries(Object.entries(SCHEMAS).map(([name, schema]) => [name, schemaOf(schema, 'output')])),
    },
  };
}

function describe({ operation, path, summary, query, body, answers, contentType, errors }: Described): object {
  const parameters = [
    ...[...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
      ...{ name, in: 'path', required: true, schema: { type: 'string' } },
    })),
    ...Object.entries(query?.shape ?? {}).map(([name, schema]) => ({
      ...{ name, in: 'query', required: false, schema: schemaOf(schema as z.ZodType, 'input') },
    })),
  ];
  const content = (type: string, schema: string) => ({
    content: { [type]: { schema: { $ref: `#/components/schemas/${schema}` } } },
  });
  const responses = Object.fromEntries([
    ...Object.entries(answers).map(([status, { says, schema }]) => [
      status,
      { description: says, ...content(contentType ?? 'application/json', schema) },
    ]),
    ...[...new Set([...errors, ...EVERYWHERE])].map((status) => [
      String(status),
      { description: ERRORS[status] ?? '', ...content('application/json', 'Error') },
    ]),
  ]);
  return {
    ...{ operationId: operation, summary, 'x-role': OPERATIONS[operation] },
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && {
      requestBody: {
        required: body.required,
        content: { 'application/json': { schema: schemaOf(body.schema, 'input') } },
      },
    }),
    responses,
  };
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12', io });
  return rest;
}
