import { z } from 'zod';
import { epochMs, identifier, priority, riskBand, securityLevel, stringMap, taskType } from './ticket.ts';

/** A body larger than this is refused before it is parsed. */
export const MAX_PLAN_BYTES = 1024 * 1024;
export const MAX_PLAN_TASKS = 5_000;

export const taskNode = z.strictObject({
  task_id: identifier,
  task_type: taskType,
  description: z.string().max(4096),
  dependencies: z.array(identifier).default([]),
  estimated_duration_ms: z.int().positive().nullable().default(null),
  required_capabilities: z.array(z.string().min(1).max(128)).default([]),
  parameters: stringMap.default({}),
  metadata: stringMap.default({}),
});
export type TaskNode = z.infer<typeof taskNode>;

/** The shape of a plan. What a shape cannot say (cycles, dangling ids, expiry) the orchestrator checks. */
export const cognitivePlan = z.strictObject({
  plan_id: identifier,
  version: z.string().default('1.0.0'),
  intent_id: identifier,
  correlation_id: z.string().nullable().default(null),
  trace_id: z.string().nullable().default(null),
  span_id: z.string().nullable().default(null),
  tasks: z.array(taskNode).min(1).max(MAX_PLAN_TASKS),
  execution_order: z.array(identifier),
  risk_score: z.number().min(0).max(1),
  risk_band: riskBand,
  risk_factors: z.record(z.string(), z.number()).default({}),
  explainability_token: z.string().default(''),
  reasoning_summary: z.string().default(''),
  status: z.enum(['draft', 'validated', 'approved', 'rejected']).default('draft'),
  created_at: epochMs,
  valid_until: epochMs.nullable().default(null),
  estimated_total_duration_ms: z.int().positive().nullable().default(null),
  complexity_score: z.number().min(0).default(0),
  original_domain: z.enum([
    'BUSINESS',
    'TECHNICAL',
    'SECURITY',
    'INFRASTRUCTURE',
    'BEHAVIOR',
    'OPERATIONAL',
    'COMPLIANCE',
  ]),
  original_priority: priority.default('NORMAL'),
  original_security_level: securityLevel.default('INTERNAL'),
  metadata: stringMap.default({}),
  requires_approval: z.boolean().default(false),
  is_destructive: z.boolean().default(false),
  destructive_tasks: z.array(identifier).default([]),
  risk_matrix: z.record(z.string(), z.number()).nullable().default(null),
  schema_version: z.literal(1).default(1),
});
export type CognitivePlan = z.infer<typeof cognitivePlan>;
