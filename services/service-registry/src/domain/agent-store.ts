import type { Agent } from './agent.ts';
import type { Change } from './change-log.ts';
import type { Scored } from './discovery.ts';
import { RegistryError } from './registry-error.ts';

/** A change before the store has given it its revision. */
export type NewChange = Omit<Change, 'revision'>;

/** What becomes of an agent, and what the caller is told. */
export type Decision<T> =
  | { readonly kind: 'keep'; readonly result: T }
  /** New figures of the agent that nobody who watches is told of; may be lost by a crash. */
  | { readonly kind: 'refresh'; readonly agent: Agent; readonly result: T }
  /**
   * A change with a revision of its own: durable before its caller and those who watch are told. DEREGISTERED removes
   * the agent. `room` is what must be left for an agent that is not there yet.
   */
  | { readonly kind: 'change'; readonly change: NewChange; readonly room?: Room; readonly result: T };

/** How many agents there may be, with the one that comes. */
export interface Room {
  readonly agents: number;
  readonly ofIdentity: number;
}

/** Where the agents are kept: memory with a journal, or a store that several replicas share. */
export interface AgentStore {
  get(agentId: string): Promise<Agent | undefined>;
  /** The agents that have all of the terms (`termsOf`), best first (`compareScored`). To be read at once. */
  search(terms: readonly string[]): Promise<Iterable<Scored>>;
  /** Agents in the order of their ids, starting behind `afterId`. */
  page(afterId: string, limit: number): Promise<readonly Agent[]>;
  /**
   * Decides about one agent atomically; `decide` may be called more than once and must be pure. Resolves with the
   * decision's result once the change is durable; rejects with what `decide` throws, with `too_many` when there is no
   * room, and with `store_failed`.
   */
  update<T>(agentId: string, decide: (current: Agent | undefined) => Decision<T>): Promise<T>;
  /** All agents and the revision they stand at. */
  snapshot(): Promise<{ readonly revision: number; readonly agents: readonly Agent[] }>;
  /** The changes after a revision, oldest first, a part of them when there are many. Throws `revision_lost`. */
  changesAfter(revision: number): Promise<readonly Change[]>;
  /** Tells that there is a change. */
  onChange(listener: () => void): () => void;
  /** Says on every replica that somebody watches under this name, until the returned function is called. */
  announceWatch(name: string): Promise<() => Promise<void>>;
  /** Whether somebody watches under one of the names, on any replica. */
  isWatched(names: readonly string[]): Promise<boolean>;
}

/** Throws `too_many` when the agents that are there leave no room for one more. */
export function checkRoom(there: { readonly agents: number; readonly ofIdentity: number }, room: Room): void {
  if (there.ofIdentity >= room.ofIdentity) {
    throw new RegistryError('too_many', `An identity may have ${room.ofIdentity} agents at once`);
  }
  if (there.agents >= room.agents) {
    throw new RegistryError('too_many', `The registry keeps ${room.agents} agents at once`);
  }
}
