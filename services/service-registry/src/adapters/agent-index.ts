import type { Agent } from '../domain/agent.ts';
import { type Scored, scoreOf } from '../domain/discovery.ts';
import { haveSameTerms, termsOf } from '../domain/search-terms.ts';
import { DENSE_SHARE, SlotSet } from './slot-set.ts';
import { SortedList } from './sorted-list.ts';

/**
 * Agents by id, by term and by rank. Each has a slot, a small number; what a search looks at is kept in arrays by slot, so
 * that it looks at many agents without touching any that it does not return.
 */
export class AgentIndex {
  readonly #slots = new Map<string, number>();
  readonly #free: number[] = [];
  readonly #agents: (Agent | undefined)[] = [];
  readonly #scores: number[] = [];
  readonly #registeredAt: number[] = [];
  readonly #byTerm = new Map<string, SlotSet>();
  readonly #perIdentity = new Map<string, number>();
  readonly #ids = new SortedList<string>((a, b) => (a < b ? -1 : a === b ? 0 : 1));
  /** The slots of those that can be found, best first. */
  readonly #ranked = new SortedList<number>((a, b) => this.#compare(a, b));

  get size(): number {
    return this.#slots.size;
  }

  get(agentId: string): Agent | undefined {
    const slot = this.#slots.get(agentId);
    return slot === undefined ? undefined : this.#agents[slot];
  }

  *values(): Generator<Agent, void> {
    for (const agent of this.#agents) if (agent !== undefined) yield agent;
  }

  ofIdentity(spiffeId: string): number {
    return this.#perIdentity.get(spiffeId) ?? 0;
  }

  put(agent: Agent): void {
    const slot = this.#slots.get(agent.agentId);
    const before = slot === undefined ? undefined : this.#agents[slot];
    if (slot === undefined || before === undefined) {
      const added = this.#free.pop() ?? this.#agents.length;
      this.#slots.set(agent.agentId, added);
      this.#ids.add(agent.agentId);
      this.#perIdentity.set(agent.spiffeId, this.ofIdentity(agent.spiffeId) + 1);
      this.#set(added, agent);
      this.#addTerms(added, agent);
    } else if (!haveSameTerms(before, agent)) {
      this.#removeTerms(slot, before);
      this.#set(slot, agent);
      this.#addTerms(slot, agent);
    } else if (this.#scores[slot] === scoreOf(agent) || agent.status === 'UNHEALTHY') {
      this.#set(slot, agent);
    } else {
      this.#ranked.delete(slot);
      this.#set(slot, agent);
      this.#ranked.add(slot);
    }
  }

  remove(agentId: string): void {
    const slot = this.#slots.get(agentId);
    const agent = slot === undefined ? undefined : this.#agents[slot];
    if (slot === undefined || agent === undefined) return;
    this.#removeTerms(slot, agent);
    this.#agents[slot] = undefined;
    this.#free.push(slot);
    this.#slots.delete(agentId);
    this.#ids.delete(agentId);
    const left = this.ofIdentity(agent.spiffeId) - 1;
    if (left === 0) this.#perIdentity.delete(agent.spiffeId);
    else this.#perIdentity.set(agent.spiffeId, left);
  }

  /**
   * The agents that have all of the terms, best first; to be read before anything changes. Where few have the rarest term
   * they are put in order, where many have it the order of all is gone through.
   */
  *search(terms: readonly string[]): Generator<Scored, void> {
    const sets: SlotSet[] = [];
    for (const term of terms) {
      const slots = this.#byTerm.get(term);
      if (slots === undefined) return;
      sets.push(slots);
    }
    const [rarest, ...others] = sets.sort((a, b) => a.size - b.size);
    if (rarest === undefined) return;
    if (rarest.size >= this.size * DENSE_SHARE) {
      for (let rank = 0; rank < this.#ranked.length; rank += 1) {
        const slot = this.#ranked.at(rank) as number;
        if (isInAll(slot, sets)) yield this.#scored(slot);
      }
    } else {
      const found: number[] = [];
      for (const slot of rarest) if (isInAll(slot, others)) found.push(slot);
      for (const slot of found.sort((a, b) => this.#compare(a, b))) yield this.#scored(slot);
    }
  }

  /** Up to `limit` agents in the order of their ids, behind `afterId`. */
  page(afterId: string, limit: number): readonly Agent[] {
    return this.#ids.after(afterId, limit).flatMap((id) => this.get(id) ?? []);
  }

  #set(slot: number, agent: Agent): void {
    this.#agents[slot] = agent;
    this.#scores[slot] = scoreOf(agent);
    this.#registeredAt[slot] = agent.registeredAtMs;
  }

  /** The order of `compareScored`. */
  #compare(a: number, b: number): number {
    const byScore = (this.#scores[b] as number) - (this.#scores[a] as number);
    if (byScore !== 0) return byScore;
    const byAge = (this.#registeredAt[a] as number) - (this.#registeredAt[b] as number);
    if (byAge !== 0 || a === b) return byAge;
    return (this.#agents[a] as Agent).agentId < (this.#agents[b] as Agent).agentId ? -1 : 1;
  }

  #scored(slot: number): Scored {
    return { agent: this.#agents[slot] as Agent, score: this.#scores[slot] as number };
  }

  #addTerms(slot: number, agent: Agent): void {
    const terms = termsOf(agent);
    if (terms.length > 0) this.#ranked.add(slot);
    for (const term of terms) {
      let slots = this.#byTerm.get(term);
      if (slots === undefined) {
        slots = new SlotSet();
        this.#byTerm.set(term, slots);
      }
      slots.add(slot, this.#agents.length);
    }
  }

  #removeTerms(slot: number, agent: Agent): void {
    const terms = termsOf(agent);
    if (terms.length > 0) this.#ranked.delete(slot);
    for (const term of terms) {
      const slots = this.#byTerm.get(term);
      slots?.delete(slot, this.#agents.length);
      if (slots?.size === 0) this.#byTerm.delete(term);
    }
  }
}

function isInAll(slot: number, sets: readonly SlotSet[]): boolean {
  for (const set of sets) if (!set.has(slot)) return false;
  return true;
}
