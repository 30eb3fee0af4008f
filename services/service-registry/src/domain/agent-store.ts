import type { Agent } from './agent.ts';
import type { Change, ChangeType, Notification } from './change-log.ts';

/** What becomes of an agent, and what the caller is told. */
export type Decision<T> =
  | { readonly kind: 'keep'; readonly result: T }
  /** New figures of the agent that nobody who watches is told of; may be lost by a crash. */
  | { readonly kind: 'refresh'; readonly agent: Agent; readonly result: T }
  /** A change with a revision of its own: durable before anyone sees it. DEREGISTERED removes the agent. */
  | {
      readonly kind: 'change';
      readonly type: ChangeType;
      readonly agent: Agent;
      readonly atMs: number;
      readonly notification?: Notification;
      readonly result: T;
    };

export interface StoreCounts {
  readonly agents: number;
  /** Agents of the identity that the call is about. */
  ofIdentity(spiffeId: string): number;
}

/** Where the agents are kept: memory with a journal, or a store that several replicas share. */
export interface AgentStore {
  get(agentId: string): Promise<Agent | undefined>;
  /** The agents that hold all of the capabilities, in no order. */
  withCapabilities(capabilities: readonly string[]): Promise<readonly Agent[]>;
  /** Agents in the order of their ids, starting behind `afterId`. */
  page(afterId: string, limit: number): Promise<readonly Agent[]>;
  /**
   * Decides about one agent atomically; `decide` may be called more than once and must be pure. Resolves with the
   * decision's result once the change is durable; rejects with `store_failed`.
   */
  update<T>(agentId: string, decide: (current: Agent | undefined, counts: StoreCounts) => Decision<T>): Promise<T>;
  /** All agents and the revision they stand at. */
  snapshot(): Promise<{ readonly revision: number; readonly agents: readonly Agent[] }>;
  /** The changes after a revision, oldest first, a part of them when there are many. Throws `revision_lost`. */
  changesAfter(revision: number): Promise<readonly Change[]>;
  /** Tells that there is a change. */
  onChange(listener: () => void): () => void;
}
