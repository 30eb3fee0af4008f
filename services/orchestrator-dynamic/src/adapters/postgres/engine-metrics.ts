import type { PlanEvent, PlanStatus } from '../../domain/index.ts';

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
