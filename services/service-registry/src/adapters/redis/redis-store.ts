import { sleep } from '@neural-hive/security/common';
import type { Agent } from '../../domain/agent.ts';
import { type AgentStore, checkRoom, type Decision } from '../../domain/agent-store.ts';
import type { Change } from '../../domain/change-log.ts';
import type { Scored } from '../../domain/discovery.ts';
import { RegistryError } from '../../domain/registry-error.ts';
import { LiveView } from './live-view.ts';
import { encodeChange, encodeRegistered, encodeSeen } from './records.ts';
import type { RedisLink } from './redis-link.ts';
import { type WriteAnswer, writeAnswerOf } from './script-answers.ts';
import { SharedClock } from './shared-clock.ts';
import { WatchPresence } from './watch-presence.ts';
import { SCRIPTS } from './write-script.ts';

export interface RedisStoreOptions {
  /** Stays open when the store is closed. */
  readonly link: RedisLink;
  /** Changes that a watch can resume from. Default 10000. */
  readonly keptChanges?: number | undefined;
}

type Write<T> = Exclude<Decision<T>, { kind: 'keep' }>;

/** How long others may be quicker to write to an agent that one decides about. Milliseconds. */
const CONTENTION_MS = 10_000;
/** The longest pause after a write that another replica was quicker than. Milliseconds. */
const MAX_PAUSE_MS = 20;
/** Stands for a limit where there is none. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

/**
 * Agents that several replicas share. Redis holds them and puts all writes in one order; each replica answers from a copy
 * that it brings up to date first, so that every answer knows what any replica has acknowledged before.
 */
export class RedisStore implements AgentStore {
  /** The time of Redis, so that all replicas agree on the age of a heartbeat. */
  readonly clock: SharedClock;
  readonly #link: RedisLink;
  readonly #live: LiveView;
  readonly #keptChanges: number;
  readonly #presence: WatchPresence;
  /** The latest decision about each agent that is being decided about. */
  readonly #deciding = new Map<string, Promise<unknown>>();

  private constructor(link: RedisLink, live: LiveView, clock: SharedClock, keptChanges: number) {
    this.#link = link;
    this.#live = live;
    this.clock = clock;
    this.#keptChanges = keptChanges;
    this.#presence = new WatchPresence(link);
  }

  static async open({ link, keptChanges = 10_000 }: RedisStoreOptions): Promise<RedisStore> {
    const clock = new SharedClock();
    const live = await asStoreFailure(() => LiveView.open({ link, clock, keptChanges }));
    return new RedisStore(link, live, clock, keptChanges);
  }

  /** Why Redis cannot be used now, or undefined. */
  get fault(): Error | undefined {
    return this.#live.fault;
  }

  async get(agentId: string): Promise<Agent | undefined> {
    return (await this.#catchUp()).index.get(agentId);
  }

  async search(terms: readonly string[]): Promise<Iterable<Scored>> {
    return (await this.#catchUp()).index.search(terms);
  }

  async page(afterId: string, limit: number): Promise<readonly Agent[]> {
    return (await this.#catchUp()).index.page(afterId, limit);
  }

  async update<T>(agentId: string, decide: (current: Agent | undefined) => Decision<T>): Promise<T> {
    const before = this.#deciding.get(agentId);
    const result = this.#decideAfter(before, agentId, decide);
    const settled = result.catch(() => undefined);
    this.#deciding.set(agentId, settled);
    void settled.then(() => {
      if (this.#deciding.get(agentId) === settled) this.#deciding.delete(agentId);
    });
    return result;
  }

  async snapshot(): Promise<{ readonly revision: number; readonly agents: readonly Agent[] }> {
    const { log, index } = await this.#catchUp();
    return { revision: log.revision, agents: [...index.values()] };
  }

  async changesAfter(revision: number): Promise<readonly Change[]> {
    const { log } = this.#live.current;
    // Another replica may have told of a change that has not come here yet.
    return (revision > log.revision ? (await this.#catchUp()).log : log).after(revision);
  }

  onChange(listener: () => void): () => void {
    return this.#live.onChange(listener);
  }

  async announceWatch(name: string): Promise<() => Promise<void>> {
    this.#live.assertReachable();
    return asStoreFailure(() => this.#presence.announce(name));
  }

  async isWatched(names: readonly string[]): Promise<boolean> {
    this.#live.assertReachable();
    return (await asStoreFailure(() => this.#link.subscribers(names))) > 0;
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.#live.close();
  }

  /** Decisions of this replica about one agent queue here: only those of others can be quicker then. */
  async #decideAfter<T>(
    before: Promise<unknown> | undefined,
    agentId: string,
    decide: (current: Agent | undefined) => Decision<T>,
  ): Promise<T> {
    let upToDate = false;
    if (before !== undefined) {
      await before;
      await this.#catchUp();
    }
    const giveUpMs = this.clock.monotonicMs() + CONTENTION_MS;
    for (let refused = 0; this.clock.monotonicMs() < giveUpMs; ) {
      const view = this.#live.current;
      const writtenAt = view.seqOf(agentId);
      let decision: Decision<T>;
      try {
        decision = decide(view.index.get(agentId));
      } catch (error) {
        if (upToDate) throw error;
        decision = { kind: 'keep', result: undefined as T };
      }
      if (decision.kind === 'keep') {
        // A write is refused when it was decided on an old copy; what writes nothing has to be decided on a new one.
        if (upToDate) return decision.result;
        await this.#catchUp();
        upToDate = true;
        continue;
      }
      const answer = await this.#write(decision, writtenAt);
      if (answer.kind === 'written') return decision.result;
      if (answer.kind === 'full' && decision.kind === 'change' && decision.room) checkRoom(answer, decision.room);
      // Two replicas in step would let the same one win for ever.
      refused += 1;
      await sleep(Math.random() * Math.min(2 ** refused, MAX_PAUSE_MS));
      const newer = await this.#catchUp();
      // Redis has another agent than its log told of: it was emptied, or filled, by another hand.
      if (newer.seqOf(agentId) === writtenAt) await asStoreFailure(() => this.#live.reload());
      upToDate = true;
    }
    throw new RegistryError('store_failed', 'Others changed the agent at the same time, again and again: try again');
  }

  #catchUp() {
    return asStoreFailure(() => this.#live.catchUp());
  }

  async #write<T>(write: Write<T>, writtenAt: number | undefined): Promise<WriteAnswer> {
    this.#live.assertReachable();
    const { current } = this.#live;
    const agent = write.kind === 'refresh' ? write.agent : write.change.agent;
    const isChange = write.kind === 'change';
    const room = isChange ? write.room : undefined;
    const args = [
      isChange ? WRITES[write.change.type] : 'seen',
      agent.agentId,
      writtenAt ?? '',
      current.seq,
      current.log.revision,
      isChange ? encodeRegistered(agent) : '',
      encodeSeen(agent),
      isChange ? encodeChange(write.change) : '',
      agent.spiffeId,
      room?.agents ?? NO_LIMIT,
      room?.ofIdentity ?? NO_LIMIT,
      this.#keptChanges,
    ];
    const sentMs = this.clock.ownMs();
    const answer = writeAnswerOf(await asStoreFailure(() => this.#link.run(SCRIPTS.write, args)));
    if (answer.kind === 'written') this.clock.observe(answer.timeMs, sentMs, this.clock.ownMs());
    return answer;
  }
}

/** What a change does to the agent that is kept. */
const WRITES = {
  REGISTERED: 'put',
  UPDATED: 'put',
  STATUS_CHANGED: 'put',
  DEREGISTERED: 'remove',
  NOTIFIED: 'notify',
} as const satisfies Record<Change['type'], string>;

/** A failure of the connection or the server as what callers are told of it. */
async function asStoreFailure<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof RegistryError) throw cause;
    throw new RegistryError('store_failed', 'Redis did not answer: try again', { cause });
  }
}
