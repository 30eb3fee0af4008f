import type { AgentStatus, AgentType } from './agent.ts';

/** What the registry counts. */
export interface RegistryMetrics {
  registered(): void;
  deregistered(): void;
  heartbeat(type: AgentType | 'unknown', status: AgentStatus | 'refused'): void;
  discovery(type: AgentType | 'any', seconds: number, evaluated: number, matched: number): void;
  healthCheck(): void;
  markedUnhealthy(): void;
  removed(): void;
  agents(counts: ReadonlyMap<`${AgentType}:${AgentStatus}`, number>): void;
}
