import type { Agent } from '../domain/agent.ts';
import { type AgentStore, checkRoom, type Decision } from '../domain/agent-store.ts';
import { type Change, ChangeLog, firstRevisionAt } from '../domain/change-log.ts';
import type { Scored } from '../domain/discovery.ts';
import { RegistryError } from '../domain/registry-error.ts';
import { AgentIndex } from './agent-index.ts';
import { Journal } from './journal.ts';
import { JournalError } from './journal-error.ts';
import { WatchedNames } from './watched-names.ts';

/** What the journal's lines say. A file starts with `base`, its `kept` changes and its agents; changes follow. */
type JournalRecord =
  | { readonly t: 'base'; readonly v: 1; readonly revision: number }
  | { readonly t: 'kept'; readonly change: Change }
  | { readonly t: 'agent'; readonly agent: Agent }
  | { readonly t: 'change'; readonly change: Change }
  | { readonly t: 'seen'; readonly agent: Pick<Agent, 'agentId' | 'telemetry' | 'lastSeenMs'> };

export interface MemoryStoreOptions {
  /** Without a path everything is forgotten at the end of the process. */
  readonly journalPath?: string | undefined;
  /** Changes that a watch can resume from. Default 10000. */
  readonly keptChanges?: number | undefined;
  /** The revision of an empty store. Default: the time. */
  readonly firstRevision?: number | undefined;
}

/** Changes that survive a rewrite of the journal. */
const CHANGES_PER_REWRITE = 1_000;

/** Agents in memory, of one process, with a journal that brings them back after a restart. */
export class MemoryStore implements AgentStore {
  readonly #index = new AgentIndex();
  readonly #log: ChangeLog;
  readonly #listeners = new Set<() => void>();
  readonly #watching = new WatchedNames();
  readonly #journal: Journal | undefined;
  /** Changes that are made and not yet durable, in order; nobody sees them. */
  #pending: Change[] = [];
  #tornBytes = 0;

  private constructor(log: ChangeLog, journal?: Journal) {
    this.#log = log;
    this.#journal = journal;
  }

  static async open({ journalPath, keptChanges, firstRevision }: MemoryStoreOptions = {}): Promise<MemoryStore> {
    const start = firstRevision ?? firstRevisionAt(Date.now());
    if (journalPath === undefined) return new MemoryStore(new ChangeLog({ capacity: keptChanges, revision: start }));
    const { journal, records, tornBytes } = await Journal.open(journalPath);
    try {
      const [base, ...rest] = records as readonly JournalRecord[];
      if (base !== undefined && (base.t !== 'base' || base.v !== 1)) {
        throw new JournalError('journal_version', 'Another version wrote the journal: move it away to start empty');
      }
      const revision = base?.revision ?? start;
      const store = new MemoryStore(new ChangeLog({ capacity: keptChanges, revision }), journal);
      for (const record of rest) store.#replay(record);
      store.#tornBytes = tornBytes;
      journal.compactFrom(() => store.#records());
      if (base === undefined) await journal.append({ t: 'base', v: 1, revision } satisfies JournalRecord);
      return store;
    } catch (error) {
      await journal.close();
      throw error;
    }
  }

  /** Bytes at the journal's end that a crash had left half written; they were dropped. */
  get tornBytes(): number {
    return this.#tornBytes;
  }

  /** Why changes cannot be made durable now, or undefined. */
  get fault(): Error | undefined {
    return this.#journal?.fault;
  }

  async get(agentId: string): Promise<Agent | undefined> {
    return this.#index.get(agentId);
  }

  async search(terms: readonly string[]): Promise<Iterable<Scored>> {
    return this.#index.search(terms);
  }

  async page(afterId: string, limit: number): Promise<readonly Agent[]> {
    return this.#index.page(afterId, limit);
  }

  async update<T>(agentId: string, decide: (current: Agent | undefined) => Decision<T>): Promise<T> {
    const index = this.#index;
    const decision = decide(index.get(agentId));
    if (decision.kind === 'keep') return decision.result;
    if (decision.kind === 'refresh') {
      const { telemetry, lastSeenMs } = decision.agent;
      index.put(decision.agent);
      this.#journal?.appendLazily({ t: 'seen', agent: { agentId, telemetry, lastSeenMs } } satisfies JournalRecord);
      return decision.result;
    }
    const { change: made, room } = decision;
    const ofIdentity = index.ofIdentity(made.agent.spiffeId);
    if (room !== undefined) checkRoom({ agents: index.size, ofIdentity }, room);
    const change: Change = { revision: this.#log.revision + this.#pending.length + 1, ...made };
    this.#apply(change);
    this.#pending.push(change);
    await this.#makeDurable(change);
    return decision.result;
  }

  async snapshot(): Promise<{ readonly revision: number; readonly agents: readonly Agent[] }> {
    return { revision: this.#log.revision, agents: [...this.#index.values()] };
  }

  async changesAfter(revision: number): Promise<readonly Change[]> {
    return this.#log.after(revision);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async announceWatch(name: string): Promise<() => Promise<void>> {
    const leave = this.#watching.add(name);
    return async () => void leave();
  }

  async isWatched(names: readonly string[]): Promise<boolean> {
    return names.some((name) => this.#watching.has(name));
  }

  async close(): Promise<void> {
    await this.#journal?.close();
  }

  async #makeDurable(change: Change): Promise<void> {
    try {
      await this.#journal?.append({ t: 'change', change } satisfies JournalRecord);
    } catch (error) {
      throw new RegistryError('store_failed', 'The change could not be made durable: try again', { cause: error });
    }
    this.#publishUpTo(change.revision);
  }

  /** A rewrite after a fault also makes the changes durable whose own append had failed. */
  #publishUpTo(revision: number): void {
    const durable = this.#pending.filter((change) => change.revision <= revision);
    if (durable.length === 0) return;
    this.#pending = this.#pending.slice(durable.length);
    for (const change of durable) this.#log.append(change);
    for (const listener of [...this.#listeners]) listener();
  }

  #apply({ type, agent }: Change): void {
    if (type === 'DEREGISTERED') this.#index.remove(agent.agentId);
    else if (type !== 'NOTIFIED') this.#index.put(agent);
  }

  #replay(record: JournalRecord): void {
    switch (record.t) {
      case 'kept':
        this.#log.append(record.change);
        return;
      case 'agent':
        this.#index.put(record.agent);
        return;
      case 'change':
        // A rewrite may already hold a change that was on its way into the file.
        if (record.change.revision <= this.#log.revision) return;
        this.#apply(record.change);
        this.#log.append(record.change);
        return;
      case 'seen': {
        const agent = this.#index.get(record.agent.agentId);
        if (agent === undefined || agent.lastSeenMs > record.agent.lastSeenMs) return;
        this.#index.put({ ...agent, telemetry: record.agent.telemetry, lastSeenMs: record.agent.lastSeenMs });
        return;
      }
      case 'base':
        throw new JournalError('journal_version', 'The journal has a second beginning: move it away to start empty');
    }
  }

  *#records(): Iterable<JournalRecord> {
    const kept = [...this.#log.latest(CHANGES_PER_REWRITE), ...this.#pending].slice(-CHANGES_PER_REWRITE);
    const newest = this.#log.revision + this.#pending.length;
    yield { t: 'base', v: 1, revision: newest - kept.length };
    for (const change of kept) yield { t: 'kept', change };
    for (const agent of this.#index.values()) yield { t: 'agent', agent };
  }
}
