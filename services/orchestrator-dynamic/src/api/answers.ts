import { ERROR_CLASSES, taskType, ticketStatus } from '@neural-hive/contracts';
import { z } from 'zod';
import {
  type DeadLetter,
  PLAN_STATUSES,
  type PlanSummary,
  type PlanView,
  type ProgressLine,
  type TelemetryEvent,
  type TicketView,
} from '../domain/index.ts';

/** What callers are answered, as schemas: the API's description is made of them, and the types keep them as the answers are. */

const status = z.enum(PLAN_STATUSES);
const epochMs = z.number().describe('epoch milliseconds');
const text = z.string().nullable();
const count = z.int().min(0);

const ticketAnswer = z.strictObject({
  id: z.string(),
  taskId: z.string(),
  type: taskType,
  status: ticketStatus,
  attempt: count.describe('1 for the first, 0 before it was published'),
  worker: text,
  spiffeId: text.describe('of the worker whose result counted'),
  startedAtMs: epochMs.nullable(),
  endedAtMs: epochMs.nullable(),
  durationMs: z.number().nullable(),
  compensates: text.describe('the ticket that this one undoes'),
  output: z.record(z.string(), z.string()),
  outputReference: text.describe('the KV path of a sensitive output'),
  error: z.strictObject({ class: z.string(), message: z.string(), logs: z.array(z.string()) }).nullable(),
}) satisfies z.ZodType<Mutable<TicketView>>;

const summary = {
  id: z.string(),
  status,
  final: z.boolean(),
  intentId: z.string(),
  submittedBy: z.string().describe('a SPIFFE ID'),
  submittedAtMs: epochMs,
  endedAtMs: epochMs.nullable(),
};

export const planAnswer = z.strictObject({
  ...summary,
  decisionId: z.string(),
  decision: z.string(),
  priority: z.string(),
  securityLevel: z.string(),
  riskBand: z.string(),
  paused: z.boolean(),
  approval: z.strictObject({
    reasons: z.array(z.string()).describe('why the plan waits for a person; empty when it does not'),
    verdict: z.enum(['not_required', 'pending', 'approved', 'rejected']),
    by: text.describe('the SPIFFE ID of who decided'),
    atMs: epochMs.nullable(),
    comment: text,
  }),
  failure: z
    .strictObject({
      ticketId: text,
      taskId: text,
      errorClass: z.enum([...ERROR_CLASSES, 'expired', 'nobody_able']),
      message: z.string(),
    })
    .nullable(),
  warning: text,
  tickets: z.array(ticketAnswer),
}) satisfies z.ZodType<Mutable<PlanView>>;

export const planListAnswer = z.strictObject({
  plans: z.array(z.strictObject(summary) satisfies z.ZodType<Mutable<PlanSummary>>),
});

const numbered = { seq: count, atMs: epochMs, planId: z.string() };
/** One line of a stream. */
export const progressAnswer = z.discriminatedUnion('type', [
  z.strictObject({ ...numbered, type: z.literal('plan'), status, final: z.boolean(), message: text }),
  z.strictObject({
    ...numbered,
    type: z.literal('ticket'),
    ticketId: z.string(),
    taskId: z.string(),
    taskType,
    status: ticketStatus,
    step: z.enum(['published', 'claimed', 'retry', 'ended']),
    attempt: count,
    worker: text,
    spiffeId: text,
    durationMs: z.number().nullable(),
    compensates: text,
    message: text,
  }),
]) satisfies z.ZodType<ProgressLine & { seq: number }>;

export const telemetryAnswer = z.strictObject({
  events: z.array(
    z.strictObject({
      cursor: z.string(),
      event_type: z.enum(['FLOW_C_STARTED', 'TICKET_FAILED', 'SLA_VIOLATION', 'FLOW_C_COMPLETED']),
      timestamp: epochMs,
      workflow_id: z.string(),
      plan_id: z.string(),
      intent_id: z.string(),
      decision_id: z.string(),
      correlation_id: text,
      trace_id: text,
      span_id: text,
      status: z.union([status, ticketStatus]),
      success: z.boolean().nullable(),
      sla_compliant: z.boolean().nullable(),
      duration_ms: z.number().nullable(),
      ticket_id: text,
      task_type: text,
      worker_id: text,
      error: text,
      error_type: text,
      metrics: z.record(z.string(), z.number()),
      schema_version: z.literal(1),
    }),
  ),
}) satisfies z.ZodType<{ events: Mutable<TelemetryEvent & { cursor: string }>[] }>;

export const deadLetterAnswer = z.strictObject({
  ticketId: z.string(),
  planId: z.string(),
  taskId: z.string(),
  taskType,
  compensates: text,
  errorClass: z.enum(ERROR_CLASSES),
  errorMessage: z.string(),
  errorLogs: z.array(z.string()),
  attempts: count,
  takeovers: count,
  agentId: text,
  atMs: epochMs,
  retriedAs: text,
  retriedBy: text,
}) satisfies z.ZodType<Mutable<DeadLetter> & { retriedAs: string | null; retriedBy: string | null }>;

export const deadLetterListAnswer = z.strictObject({ deadLetters: z.array(deadLetterAnswer) });
export const deadLetterRetryAnswer = z.strictObject({ retriedAs: z.string(), plan: planAnswer });

export const errorAnswer = z.strictObject({
  error: z.strictObject({
    code: z.enum([
      'unauthenticated',
      'permission_denied',
      'invalid_json',
      'invalid_plan',
      'invalid_request',
      'not_found',
      'conflict',
      'too_large',
      'unsupported_media_type',
      'internal',
    ]),
    message: z.string(),
    problems: z
      .array(z.strictObject({ path: z.string().describe('a JSON path'), message: z.string() }))
      .optional()
      .describe('every problem, not the first'),
  }),
});

/** Schemas make types that can be written to; those of the domain cannot. */
type Mutable<T> = T extends readonly (infer Item)[]
  ? Mutable<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Mutable<T[Key]> }
    : T;
