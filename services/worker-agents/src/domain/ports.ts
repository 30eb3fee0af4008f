import type { ExecutionResult, TaskType } from '@neural-hive/contracts';
import type { Secret } from '@neural-hive/security/common';
import type { ClaimedTicket } from './claimed-ticket.ts';
import type { ExecutionSettings } from './execution-settings.ts';

export interface ClaimRequest {
  readonly types: readonly TaskType[];
  readonly agentId: string;
  readonly limit: number;
}

/** A row that was claimed and whose payload is no ticket. */
export interface UnreadableTicket {
  readonly ticketId: string;
  readonly planId: string;
  readonly fencing: number;
  readonly problem: string;
}

/** Where tickets come from and results go to. */
export interface TicketSource {
  claim(request: ClaimRequest): Promise<{ tickets: readonly ClaimedTicket[]; unreadable: readonly UnreadableTicket[] }>;
  /** False: the ticket is no longer this attempt's. */
  heartbeat(ticketId: string, fencing: number): Promise<boolean>;
  /** Publishes once. False: the attempt was fenced off and its result counts for nothing. */
  finish(ticketId: string, fencing: number, result: ExecutionResult): Promise<boolean>;
  /** Hands the ticket back: it is queued again at once. */
  release(ticketId: string, fencing: number): Promise<boolean>;
  /** Something new may be there. */
  onReady(listener: () => void): () => void;
  onCancelled(listener: (ticketId: string) => void): () => void;
}

/** What a sensitive ticket came to. */
export interface SensitiveResult {
  /** How often the ticket was claimed, this time included. */
  readonly attempt: number;
  readonly fencing: number;
  readonly output: Readonly<Record<string, string>>;
  readonly logs: readonly string[];
}

/** The worker's view of the secrets. */
export interface ExecutionSecrets {
  settingsFor(type: TaskType, options: { signal: AbortSignal }): Promise<ExecutionSettings>;
  /** All that is stored for the task type; read at each call. */
  getExecutionCredentials(
    type: TaskType,
    options: { signal: AbortSignal },
  ): Promise<Secret<Readonly<Record<string, unknown>>>>;
  /** Stores a sensitive output and answers where it lies. A result of an older attempt never replaces a newer one. */
  storeResult(ticketId: string, result: SensitiveResult, options: { signal: AbortSignal }): Promise<string>;
}
