import type { GivenUpTicket } from '@neural-hive/contracts';
import type { DeadLetter } from '../../domain/dead-letter.ts';

const LIMITS = { message: 8_192, lines: 200, line: 4_096 } as const;

/** A dead letter as its topic carries it. Nothing in it exceeds the contract's limits. */
export function givenUpOf(letter: DeadLetter): GivenUpTicket {
  return {
    kind: 'given-up',
    ticket_id: letter.ticketId,
    plan_id: letter.planId,
    task_id: letter.taskId,
    task_type: letter.taskType,
    compensates: letter.compensates,
    error_class: letter.errorClass,
    error_message: letter.errorMessage.slice(0, LIMITS.message),
    error_logs: letter.errorLogs.slice(-LIMITS.lines).map((line) => line.slice(0, LIMITS.line)),
    attempts: letter.attempts,
    takeovers: letter.takeovers,
    agent_id: letter.agentId,
    given_up_at: letter.atMs,
    schema_version: 1,
  };
}
