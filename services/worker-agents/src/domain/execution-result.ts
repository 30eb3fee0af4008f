import { type ExecutionResult, executionResult } from '@neural-hive/contracts';
import type { ClaimedTicket } from './claimed-ticket.ts';
import type { TicketFailure } from './failure.ts';
import type { UnreadableTicket } from './ports.ts';
import type { KeptBack } from './sensitivity.ts';

/** What an executor that succeeded found out. */
export interface Executed {
  readonly output: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly logs?: readonly string[];
  /**
   * Outputs that undoing needs. They travel also when the rest is kept back, so no secret may be among them.
   */
  readonly neededToUndo?: readonly string[];
}

export interface Publisher {
  readonly agentId: string;
  readonly spiffeId: string;
}

const LIMITS = { value: 65_536, lines: 200, line: 4_096, message: 8_192 };

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

export interface ResultFacts {
  readonly outcome: Executed | TicketFailure;
  /** Where the output lies, when some of it is sensitive. */
  readonly reference: string | undefined;
  /** What does not travel then, and neither do the logs. Default: everything. */
  readonly kept?: KeptBack;
  readonly durationMs: number;
  readonly nowMs: number;
}

/** The message that says how an attempt ended. Nothing in it exceeds the contract's limits. */
export function buildResult(
  { ticket, fencing, attempt }: ClaimedTicket,
  { agentId, spiffeId }: Publisher,
  { outcome, reference, kept = 'everything', durationMs, nowMs }: ResultFacts,
): ExecutionResult {
  const failure = outcome instanceof Error ? outcome : undefined;
  const output = reference === undefined ? outcome.output : whatTravels(outcome, kept);
  const logs = reference === undefined ? (outcome.logs ?? []) : [];
  const metadata = outcome instanceof Error ? {} : (outcome.metadata ?? {});
  return executionResult.parse({
    ticket_id: ticket.ticket_id,
    plan_id: ticket.plan_id,
    fencing_token: fencing,
    status: failure === undefined ? 'COMPLETED' : 'FAILED',
    result: {
      success: failure === undefined,
      output: Object.fromEntries(Object.entries(output).map(([key, value]) => [key, cut(value, LIMITS.value)])),
      metadata: { executor: ticket.task_type.toLowerCase(), attempt: String(attempt), ...metadata },
      logs: logs.slice(-LIMITS.lines).map((line) => cut(line, LIMITS.line)),
    },
    output_reference: reference ?? null,
    error_class: failure?.code ?? null,
    error_message: failure === undefined ? null : cut(failure.message, LIMITS.message),
    actual_duration_ms: Math.max(0, Math.round(durationMs)),
    agent_id: agentId,
    spiffe_id: spiffeId,
    timestamp: nowMs,
  });
}

/** What undoing needs always does. */
function whatTravels(outcome: Executed | TicketFailure, kept: KeptBack): Record<string, string> {
  const names = outcome instanceof Error ? [] : (outcome.neededToUndo ?? []);
  const travels = (name: string): boolean => names.includes(name) || (typeof kept === 'object' && !kept.has(name));
  return Object.fromEntries(Object.entries(outcome.output).filter(([name]) => travels(name)));
}

/** The answer to something that was claimed and is no ticket. */
export function buildUnreadable(
  { ticketId, planId, fencing, problem }: UnreadableTicket,
  { agentId, spiffeId }: Publisher,
  nowMs: number,
): ExecutionResult {
  return executionResult.parse({
    ticket_id: ticketId,
    plan_id: planId,
    fencing_token: fencing,
    status: 'FAILED',
    result: { success: false },
    error_class: 'parameters',
    error_message: cut(`The ticket cannot be read: ${problem}`, LIMITS.message),
    actual_duration_ms: 0,
    agent_id: agentId,
    spiffe_id: spiffeId,
    timestamp: nowMs,
  });
}
