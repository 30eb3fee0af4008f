import { z } from 'zod';

export const TASK_TYPES = [
  'BUILD',
  'DEPLOY',
  'TEST',
  'VALIDATE',
  'EXECUTE',
  'COMPENSATE',
  'QUERY',
  'TRANSFORM',
] as const;
export const taskType = z.enum(TASK_TYPES);
export type TaskType = z.infer<typeof taskType>;

export const RISK_BANDS = ['low', 'medium', 'high', 'critical'] as const;
export const riskBand = z.enum(RISK_BANDS);
export type RiskBand = z.infer<typeof riskBand>;

/** Lowest first. */
export const SECURITY_LEVELS = ['PUBLIC', 'INTERNAL', 'CONFIDENTIAL', 'RESTRICTED'] as const;
export const securityLevel = z.enum(SECURITY_LEVELS);
export type SecurityLevel = z.infer<typeof securityLevel>;

/** Lowest first. */
export const PRIORITIES = ['LOW', 'NORMAL', 'HIGH', 'CRITICAL'] as const;
export const priority = z.enum(PRIORITIES);
export type Priority = z.infer<typeof priority>;

export const TICKET_STATUSES = [
  'PENDING',
  'RUNNING',
  'COMPLETED',
  'FAILED',
  'CANCELLED',
  'COMPENSATING',
  'COMPENSATED',
] as const;
export const ticketStatus = z.enum(TICKET_STATUSES);
export type TicketStatus = z.infer<typeof ticketStatus>;

/** Epoch milliseconds. */
export const epochMs = z.int().nonnegative();

export const identifier = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]*$/, 'letters, digits and . _ : - only, starting with a letter or digit');

/** Strings only, as on the wire; each value at most 64 KiB. */
export const stringMap = z.record(z.string().min(1).max(256), z.string().max(65_536));

/**
 * One unit of work for a worker. `fencing_token` grows with every attempt, over all tickets: a result or a
 * deployment that carries an older one than the newest seen is discarded.
 */
export const executionTicket = z.strictObject({
  ticket_id: identifier,
  plan_id: identifier,
  intent_id: identifier,
  decision_id: identifier,
  correlation_id: z.string().nullable().default(null),
  trace_id: z.string().nullable().default(null),
  span_id: z.string().nullable().default(null),
  task_id: identifier,
  task_type: taskType,
  description: z.string().max(4096),
  /** Ticket ids, all COMPLETED before this ticket is published. */
  dependencies: z.array(identifier).default([]),
  status: ticketStatus.default('PENDING'),
  priority,
  risk_band: riskBand,
  sla: z.strictObject({ deadline: epochMs, timeout_ms: z.int().positive(), max_retries: z.int().nonnegative() }),
  qos: z.strictObject({
    delivery_mode: z.enum(['AT_MOST_ONCE', 'AT_LEAST_ONCE', 'EXACTLY_ONCE']),
    consistency: z.enum(['EVENTUAL', 'STRONG']),
    durability: z.enum(['TRANSIENT', 'PERSISTENT']),
  }),
  parameters: stringMap.default({}),
  required_capabilities: z.array(z.string().min(1).max(128)).default([]),
  security_level: securityLevel,
  created_at: epochMs,
  estimated_duration_ms: z.int().positive().nullable().default(null),
  /** 0 for the first attempt. */
  retry_count: z.int().nonnegative().default(0),
  /** Set on COMPENSATE tickets: the ticket that is undone, its type and its output. */
  compensates: z
    .strictObject({ ticket_id: identifier, task_type: taskType, output: stringMap })
    .nullable()
    .default(null),
  metadata: stringMap.default({}),
  schema_version: z.literal(1).default(1),
});
export type ExecutionTicket = z.infer<typeof executionTicket>;

/** Results at these levels go to Vault; only their reference travels. */
export function isSensitive(level: SecurityLevel): boolean {
  return level === 'CONFIDENTIAL' || level === 'RESTRICTED';
}
