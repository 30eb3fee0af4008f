import { type Decision, isFinal, type PlanEvent, type PlanState, type PlanStatus } from '../domain/index.ts';

/** What the engine counts; the service gives it Prometheus, tests nothing. */
export interface EngineMetrics {
  planSubmitted(): void;
  planEnded(status: PlanStatus, durationMs: number): void;
  ticketPublished(taskType: string): void;
  ticketEnded(taskType: string, status: string): void;
  /** Given up after every attempt it had. */
  ticketBuried(taskType: string): void;
  eventApplied(type: PlanEvent['type'], durationMs: number): void;
  eventFailed(): void;
}

export const NO_METRICS: EngineMetrics = {
  planSubmitted: () => undefined,
  planEnded: () => undefined,
  ticketPublished: () => undefined,
  ticketEnded: () => undefined,
  ticketBuried: () => undefined,
  eventApplied: () => undefined,
  eventFailed: () => undefined,
};

/** Counts what a decision means; `before` is undefined for a plan that is new. */
export function countDecision(metrics: EngineMetrics, before: PlanState | undefined, decision: Decision): void {
  const { state, commands, changed } = decision;
  for (const command of commands) {
    if (command.type === 'publishTicket') metrics.ticketPublished(command.ticket.task_type);
    if (command.type === 'buryTicket') metrics.ticketBuried(command.letter.taskType);
  }
  for (const ticketId of changed) {
    const ticket = state.tickets.get(ticketId);
    if (ticket?.stage !== 'ended' || before?.tickets.get(ticketId)?.stage === 'ended') continue;
    metrics.ticketEnded(ticket.taskType, ticket.status);
  }
  if (isFinal(state.status) && before?.status !== state.status) {
    metrics.planEnded(state.status, (state.endedAtMs ?? state.submittedAtMs) - state.submittedAtMs);
  }
}
