import type { CognitivePlan, ConsolidatedDecision } from '@neural-hive/contracts';
import { directDecisionIdOf } from './ticket-id.ts';

/** Why a plan must wait for a person; empty when nothing asks for one. */
export function approvalReasons(plan: CognitivePlan, decision: ConsolidatedDecision | null): readonly string[] {
  const reasons: string[] = [];
  if (plan.requires_approval) reasons.push('the plan asks for approval');
  if (plan.is_destructive) reasons.push('the plan is destructive');
  if (plan.destructive_tasks.length > 0) reasons.push(`destructive tasks: ${plan.destructive_tasks.join(', ')}`);
  if (plan.risk_band === 'high' || plan.risk_band === 'critical') reasons.push(`the risk band is ${plan.risk_band}`);
  // A direct decision only repeats the plan's own reasons.
  if (reasons.length > 0) return reasons;
  if (decision?.requires_human_review) reasons.push('the decision asks for human review');
  if (decision?.final_decision === 'review_required' || decision?.final_decision === 'conditional') {
    reasons.push(`the decision is ${decision.final_decision}`);
  }
  return reasons;
}

/**
 * The decision that stands for a plan which came without one. It never approves what needs a person: `reject` for a
 * plan marked rejected, `review_required` where a rule asks for approval, else `approve`. Nobody voted, so it claims
 * no confidence.
 */
export function directDecision(plan: CognitivePlan, submittedBy: string, atMs: number): ConsolidatedDecision {
  const reasons = approvalReasons(plan, null);
  const review = reasons.length > 0;
  return {
    decision_id: directDecisionIdOf(plan.plan_id),
    plan_id: plan.plan_id,
    intent_id: plan.intent_id,
    correlation_id: plan.correlation_id,
    trace_id: plan.trace_id,
    span_id: plan.span_id,
    final_decision: plan.status === 'rejected' ? 'reject' : review ? 'review_required' : 'approve',
    consensus_method: 'fallback',
    aggregated_confidence: 0,
    aggregated_risk: plan.risk_score,
    specialist_votes: [],
    consensus_metrics: null,
    explainability_token: plan.explainability_token,
    reasoning_summary: review ? reasons.join('; ') : 'submitted directly; no rule asks for approval',
    compliance_checks: {},
    guardrails_triggered: [],
    // The plan lies beside the decision already.
    cognitive_plan: null,
    requires_human_review: review,
    created_at: atMs,
    valid_until: plan.valid_until,
    metadata: { source: 'direct', submitted_by: submittedBy },
    hash: '',
    schema_version: 1,
  };
}
