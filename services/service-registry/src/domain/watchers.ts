import type { Agent, AgentType } from './agent.ts';
import type { AgentStore } from './agent-store.ts';
import type { Change } from './change-log.ts';
import { RegistryError } from './registry-error.ts';

export interface WatchRequest {
  readonly caller: string;
  readonly type: AgentType | undefined;
  /** 0 starts with the agents registered now. */
  readonly afterRevision: number;
  readonly signal: AbortSignal;
}

/** The streams that follow the registry. */
export class Watchers {
  readonly #store: AgentStore;
  readonly #maxPerIdentity: number;
  readonly #streams = new Map<string, number>();

  constructor({ store, maxPerIdentity }: { store: AgentStore; maxPerIdentity: number }) {
    this.#store = store;
    this.#maxPerIdentity = maxPerIdentity;
  }

  isWatching(identity: string): boolean {
    return this.#streams.has(identity);
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
    try {
      yield* this.#follow(request, wakeUp);
    } finally {
      off();
      signal.removeEventListener('abort', onAbort);
      const left = (this.#streams.get(caller) ?? 1) - 1;
      if (left === 0) this.#streams.delete(caller);
      else this.#streams.set(caller, left);
    }
  }

  async *#follow(request: WatchRequest, wakeUp: Signal): AsyncGenerator<Change, void> {
    const { signal } = request;
    let revision = request.afterRevision;
    if (revision === 0) {
      const snapshot = await this.#store.snapshot();
      const agents = snapshot.agents.filter((agent) => isOfType(agent, request.type));
      for (const [index, agent] of agents.entries()) {
        if (signal.aborted) return;
        // Whoever resumes after a part of the snapshot must get it again: only its last event carries the revision.
        const resumeAfter = index === agents.length - 1 ? snapshot.revision : 0;
        yield { revision: resumeAfter, type: 'REGISTERED', agent, atMs: agent.registeredAtMs };
      }
      revision = snapshot.revision;
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

function isOfType(agent: Agent, type: AgentType | undefined): boolean {
  return type === undefined || agent.type === type;
}

function isVisible({ type, agent }: Change, request: WatchRequest): boolean {
  if (type === 'NOTIFIED') return agent.spiffeId === request.caller;
  return isOfType(agent, request.type);
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
