import { z } from 'zod';
import { epochMs, identifier, stringMap } from './ticket.ts';

/**
 * Why an attempt failed, for the decision whether to try again:
 * `parameters` is final; `timeout`, `backend` and `crash` are tried again; `fenced` lost to a newer attempt.
 */
export const ERROR_CLASSES = ['parameters', 'execution', 'timeout', 'backend', 'crash', 'fenced', 'cancelled'] as const;
export const errorClass = z.enum(ERROR_CLASSES);
export type ErrorClass = z.infer<typeof errorClass>;

/** What a worker publishes once an attempt has ended. */
export const executionResult = z.strictObject({
  ticket_id: identifier,
  plan_id: identifier,
  fencing_token: z.int().positive(),
  status: z.enum(['COMPLETED', 'FAILED']),
  result: z.strictObject({
    success: z.boolean(),
    output: stringMap.default({}),
    metadata: stringMap.default({}),
    /** The last lines of the captured output. */
    logs: z.array(z.string().max(4096)).max(200).default([]),
  }),
  /** Where a sensitive output lies: a KV path. The output itself is empty then. */
  output_reference: z.string().max(512).nullable().default(null),
  error_class: errorClass.nullable().default(null),
  error_message: z.string().max(8192).nullable().default(null),
  actual_duration_ms: z.int().nonnegative(),
  agent_id: z.string().min(1).max(128),
  /** The worker's SPIFFE ID. */
  spiffe_id: z.string().min(1).max(2048),
  timestamp: epochMs,
  schema_version: z.literal(1).default(1),
});
export type ExecutionResult = z.infer<typeof executionResult>;
