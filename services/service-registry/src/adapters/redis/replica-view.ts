import type { Agent } from '../../domain/agent.ts';
import type { NewChange } from '../../domain/agent-store.ts';
import { ChangeLog } from '../../domain/change-log.ts';
import { AgentIndex } from '../agent-index.ts';
import { decodeAgent, decodeChange, decodeSeen, splitFirst, splitNumbered } from './records.ts';

/** Everything that Redis holds, at one instant. */
export interface Loaded {
  readonly seq: number;
  readonly revision: number;
  /** By agent id. */
  readonly registered: ReadonlyMap<string, string>;
  /** By agent id, each behind its seq. */
  readonly seen: ReadonlyMap<string, string>;
  /** The kept changes in order, each with its revision. */
  readonly changes: readonly (readonly [revision: number, change: string])[];
}

/** One entry of the log. */
export interface LogEntry {
  readonly seq: number;
  readonly kind: 'seen' | 'change';
  readonly text: string;
}

/** What one replica knows: a copy of Redis as it was at `seq`. */
export class ReplicaView {
  readonly index = new AgentIndex();
  readonly log: ChangeLog;
  /** The seq of each agent's latest write: whoever decides on a copy says by it which one that was. */
  readonly #seqs = new Map<string, number>();
  #seq: number;

  constructor({ seq, revision, registered, seen, changes }: Loaded, keptChanges: number) {
    this.#seq = seq;
    for (const [agentId, numbered] of seen) {
      const [writtenAt, rest] = splitNumbered(numbered);
      const text = registered.get(agentId);
      if (text !== undefined) this.#put(decodeAgent(text, rest), writtenAt);
    }
    const [oldest] = changes[0] ?? [revision + 1];
    this.log = new ChangeLog({ capacity: keptChanges, revision: oldest - 1 });
    for (const [at, text] of changes) this.log.append({ revision: at, ...decodeChange(text) });
  }

  get seq(): number {
    return this.#seq;
  }

  /** The seq of the agent's latest write; undefined for an agent that is not there. */
  seqOf(agentId: string): number | undefined {
    return this.#seqs.get(agentId);
  }

  /** `missed`: entries before this one are not there any more, so that everything has to be read again. */
  apply({ seq, kind, text }: LogEntry): 'known' | 'applied' | 'missed' {
    if (seq <= this.#seq) return 'known';
    if (seq !== this.#seq + 1) return 'missed';
    this.#seq = seq;
    if (kind === 'seen') {
      const [agentId, seen] = splitFirst(text);
      const agent = this.index.get(agentId);
      if (agent !== undefined) this.#put({ ...agent, ...decodeSeen(seen) }, seq);
    } else {
      const [revision, change] = splitNumbered(text);
      this.#change(revision, decodeChange(change), seq);
    }
    return 'applied';
  }

  #change(revision: number, change: NewChange, seq: number): void {
    const { type, agent } = change;
    if (type === 'DEREGISTERED') {
      this.index.remove(agent.agentId);
      this.#seqs.delete(agent.agentId);
    } else if (type !== 'NOTIFIED') {
      this.#put(agent, seq);
    }
    this.log.append({ revision, ...change });
  }

  #put(agent: Agent, seq: number): void {
    this.index.put(agent);
    this.#seqs.set(agent.agentId, seq);
  }
}
