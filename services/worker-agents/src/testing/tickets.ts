import { type ExecutionTicket, executionTicket } from '@neural-hive/contracts';
import { Secret } from '@neural-hive/security/common';
import { executionSettings } from '../domain/execution-settings.ts';
import type { Execution } from '../domain/executor.ts';

/** A ticket with everything in it that a test does not care about. */
export function ticketOf(fields: Partial<ExecutionTicket> & Pick<ExecutionTicket, 'task_type'>): ExecutionTicket {
  return executionTicket.parse({
    ticket_id: 'plan-1.task-1',
    plan_id: 'plan-1',
    intent_id: 'intent-1',
    decision_id: 'decision-1',
    task_id: 'task-1',
    description: '',
    priority: 'NORMAL',
    risk_band: 'low',
    sla: { deadline: 4_000_000_000_000, timeout_ms: 20_000, max_retries: 1 },
    qos: { delivery_mode: 'AT_LEAST_ONCE', consistency: 'EVENTUAL', durability: 'PERSISTENT' },
    security_level: 'INTERNAL',
    created_at: 1,
    ...fields,
  });
}

let counter = 0;

export function executionOf(ticket: ExecutionTicket, more: Partial<Execution> = {}): Execution {
  counter += 1;
  return {
    ticket,
    fencing: counter,
    attemptId: `test-${process.pid}-${counter}`,
    settings: executionSettings.parse({}),
    credentials: async () => new Secret({}),
    timeoutMs: ticket.sla.timeout_ms,
    signal: new AbortController().signal,
    ...more,
  };
}
