import { executionResult } from '@neural-hive/contracts';
import type { AttemptOutcome } from './plan-event.ts';

const LOGS_KEPT = 20;

/** A result that is none fails its attempt: the ticket must not wait for a better one. */
export function readResult(value: unknown): AttemptOutcome {
  const parsed = executionResult.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return {
      status: 'FAILED',
      output: {},
      outputReference: null,
      errorClass: 'execution',
      errorMessage: `the worker published no valid result: ${issue?.path.join('.')}: ${issue?.message}`,
      logs: [],
      agentId: 'unknown',
      spiffeId: null,
    };
  }
  const { status, result, ...rest } = parsed.data;
  return {
    status,
    output: result.output,
    outputReference: rest.output_reference,
    errorClass: rest.error_class,
    errorMessage: rest.error_message,
    logs: status === 'FAILED' ? result.logs.slice(-LOGS_KEPT) : [],
    agentId: rest.agent_id,
    spiffeId: rest.spiffe_id,
  };
}
