import type { Agent, AgentType } from './agent.ts';
import type { AgentStore } from './agent-store.ts';
import type { Change } from './change-log.ts';
import { RegistryError } from './registry-error.ts';

export interface WatchRequest {
  readonly caller: string;
  readonly type: AgentType | undefined;
  /** Only this agent's changes, and of the notifications only its own. */
  readonly agentId: string | undefined;
  /** 0 starts with the agents registered now. */
  readonly afterRevision: number;
  readonly signal: AbortSignal;
}

/**
 * The names under which those announce themselves whom a notification of the agent reaches: its identity, watching for
 * all its agents, or for this one.
 */
export function watchNames({ spiffeId, agentId }: Pick<Agent, 'spiffeId' | 'agentId'>): readonly string[] {
  return [watchName(spiffeId, undefined), watchName(spiffeId, agentId)];
}

function watchName(caller: string, agentId: string | undefined): string {
  return agentId === undefined ? caller : `${caller} ${agentId}`;
}

/** The streams of this replica that follow the registry. */
export class Watchers {
  readonly #store: AgentStore;
  readonly #maxPerIdentity: number;
  readonly #streams = new Map<string, number>();

  constructor({ store, maxPerIdentity }: { store: AgentStore; maxPerIdentity: number }) {
    this.#store = store;
    this.#maxPerIdentity = maxPerIdentity;
  }

  get count(): number {
    return [...this.#streams.values()].reduce((sum, streams) => sum + streams, 0);
  }

  /**
   * The changes after a revision, then each as it is made, until the signal is aborted. A reader that is slower than
   * the log is long gets `revision_lost`. Notifications go to the identity that registered the agent only.
   */
  async *watch(request: WatchRequest): AsyncGenerator<Change, void> {
    const { caller, signal } = request;
    const streams = this.#streams.get(caller) ?? 0;
    if (streams >= this.#maxPerIdentity) {
      throw new RegistryError('too_many', `An identity may have ${this.#maxPerIdentity} watch streams at once`);
    }
    this.#streams.set(caller, streams + 1);
    const wakeUp = new Signal();
    const off = this.#store.onChange(() => wakeUp.set());
    const onAbort = (): void => wakeUp.set();
    signal.addEventListener('abort', onAbort, { once: true });
    let leave = async (): Promise<void> => undefined;
    const announce = async (): Promise<void> => {
      leave = await this.#store.announceWatch(watchName(caller, request.agentId));
    };
    try {
      yield* this.#follow(request, announce, wakeUp);
    } finally {
      off();
      signal.removeEventListener('abort', onAbort);
      const left = (this.#streams.get(caller) ?? 1) - 1;
      if (left === 0) this.#streams.delete(caller);
      else this.#streams.set(caller, left);
      await leave();
    }
  }

  async *#follow(request: WatchRequest, announce: () => Promise<void>, wakeUp: Signal): AsyncGenerator<Change, void> {
    const { signal } = request;
    let revision = request.afterRevision;
    if (revision === 0) {
      const snapshot = await this.#store.snapshot();
      // Not before: a notification that was sent in between would be in front of what is followed.
      await announce();
      const agents = snapshot.agents.filter((agent) => isAsked(agent, request));
      for (const [index, agent] of agents.entries()) {
        if (signal.aborted) return;
        // Whoever resumes after a part of the snapshot must get it again: only its last event carries the revision.
        const resumeAfter = index === agents.length - 1 ? snapshot.revision : 0;
        yield { revision: resumeAfter, type: 'REGISTERED', agent, atMs: agent.registeredAtMs };
      }
      revision = snapshot.revision;
    } else {
      await announce();
    }
    while (!signal.aborted) {
      wakeUp.clear();
      const changes = await this.#store.changesAfter(revision);
      for (const change of changes) {
        if (signal.aborted) return;
        revision = change.revision;
        if (isVisible(change, request)) yield change;
      }
      if (changes.length === 0 && !signal.aborted) await wakeUp.wait();
    }
  }
}

function isAsked({ type, agentId }: Agent, asked: WatchRequest): boolean {
  return (
    (asked.type === undefined || type === asked.type) && (asked.agentId === undefined || agentId === asked.agentId)
  );
}

function isVisible({ type, agent, previousType }: Change, request: WatchRequest): boolean {
  if (type === 'NOTIFIED' && agent.spiffeId !== request.caller) return false;
  // Those who follow the type that the agent has left have to learn that it did.
  return isAsked(agent, request) || (previousType !== undefined && isAsked({ ...agent, type: previousType }, request));
}

/** Remembers that something happened until it is cleared. */
class Signal {
  #set = false;
  #resolve: (() => void) | undefined;

  set(): void {
    this.#set = true;
    this.#resolve?.();
  }

  clear(): void {
    this.#set = false;
  }

  wait(): Promise<void> {
    if (this.#set) return Promise.resolve();
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }
}
