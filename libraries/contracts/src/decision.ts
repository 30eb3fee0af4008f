import { z } from 'zod';
import { cognitivePlan } from './plan.ts';
import { epochMs, identifier, stringMap } from './ticket.ts';

const share = z.number().min(0).max(1);

export const specialistVote = z.strictObject({
  specialist_type: z.string(),
  opinion_id: z.string(),
  confidence_score: share,
  risk_score: share,
  recommendation: z.string(),
  weight: z.number(),
  processing_time_ms: z.int().nonnegative(),
});

/** What the consensus engine publishes on `plans.consensus`, and what a direct submission is turned into. */
export const consolidatedDecision = z.strictObject({
  decision_id: identifier,
  plan_id: identifier,
  intent_id: identifier,
  correlation_id: z.string().nullable().default(null),
  trace_id: z.string().nullable().default(null),
  span_id: z.string().nullable().default(null),
  final_decision: z.enum(['approve', 'reject', 'review_required', 'conditional']),
  consensus_method: z.enum(['bayesian', 'voting', 'unanimous', 'fallback']),
  aggregated_confidence: share,
  aggregated_risk: share,
  specialist_votes: z.array(specialistVote).default([]),
  consensus_metrics: z
    .strictObject({
      divergence_score: z.number(),
      convergence_time_ms: z.int().nonnegative(),
      unanimous: z.boolean(),
      fallback_used: z.boolean(),
      pheromone_strength: z.number(),
      bayesian_confidence: z.number(),
      voting_confidence: z.number(),
    })
    .nullable()
    .default(null),
  explainability_token: z.string().default(''),
  reasoning_summary: z.string().default(''),
  compliance_checks: z.record(z.string(), z.boolean()).default({}),
  guardrails_triggered: z.array(z.string()).default([]),
  /** The plan itself; null means it is looked up by `plan_id`. */
  cognitive_plan: cognitivePlan.nullable().default(null),
  requires_human_review: z.boolean().default(false),
  created_at: epochMs,
  valid_until: epochMs.nullable().default(null),
  metadata: stringMap.default({}),
  hash: z.string().default(''),
  schema_version: z.literal(1).default(1),
});
export type ConsolidatedDecision = z.infer<typeof consolidatedDecision>;
