import type { Agent } from '../domain/agent.ts';
import { termsOf } from '../domain/search-terms.ts';
import { SortedIds } from './sorted-ids.ts';

/** An agent's place in the index; its terms refer to the place, so that new figures of the agent touch none of them. */
interface Place {
  agent: Agent;
}

/** Agents by id, by term and by owner. The cost of a search does not grow with agents that lack one of the terms. */
export class AgentIndex {
  readonly #places = new Map<string, Place>();
  readonly #byTerm = new Map<string, Set<Place>>();
  readonly #perIdentity = new Map<string, number>();
  readonly #ids = new SortedIds();

  get size(): number {
    return this.#places.size;
  }

  get(agentId: string): Agent | undefined {
    return this.#places.get(agentId)?.agent;
  }

  *values(): Iterable<Agent> {
    for (const { agent } of this.#places.values()) yield agent;
  }

  ofIdentity(spiffeId: string): number {
    return this.#perIdentity.get(spiffeId) ?? 0;
  }

  put(agent: Agent): void {
    const place = this.#places.get(agent.agentId);
    if (place === undefined) {
      this.#ids.add(agent.agentId);
      this.#perIdentity.set(agent.spiffeId, this.ofIdentity(agent.spiffeId) + 1);
      const added = { agent };
      this.#places.set(agent.agentId, added);
      this.#addTerms(added);
    } else if (isFoundAs(place.agent, agent)) {
      place.agent = agent;
    } else {
      this.#removeTerms(place);
      place.agent = agent;
      this.#addTerms(place);
    }
  }

  remove(agentId: string): void {
    const place = this.#places.get(agentId);
    if (place === undefined) return;
    const { spiffeId } = place.agent;
    this.#places.delete(agentId);
    this.#ids.delete(agentId);
    this.#removeTerms(place);
    const left = this.ofIdentity(spiffeId) - 1;
    if (left === 0) this.#perIdentity.delete(spiffeId);
    else this.#perIdentity.set(spiffeId, left);
  }

  /** The agents that have all of the terms. */
  search(terms: readonly string[]): readonly Agent[] {
    const sets: Set<Place>[] = [];
    for (const term of terms) {
      const places = this.#byTerm.get(term);
      if (places === undefined) return [];
      sets.push(places);
    }
    const [rarest, ...others] = sets.sort((a, b) => a.size - b.size);
    const found: Agent[] = [];
    // A term that every agent has excludes none.
    const excluding = others.filter(({ size }) => size < this.#places.size);
    for (const place of rarest ?? []) {
      if (excluding.every((places) => places.has(place))) found.push(place.agent);
    }
    return found;
  }

  /** Up to `limit` agents in the order of their ids, behind `afterId`. */
  page(afterId: string, limit: number): readonly Agent[] {
    return this.#ids.after(afterId, limit).flatMap((id) => this.get(id) ?? []);
  }

  #addTerms(place: Place): void {
    for (const term of termsOf(place.agent)) {
      const places = this.#byTerm.get(term);
      if (places === undefined) this.#byTerm.set(term, new Set([place]));
      else places.add(place);
    }
  }

  #removeTerms(place: Place): void {
    for (const term of termsOf(place.agent)) {
      const places = this.#byTerm.get(term);
      places?.delete(place);
      if (places?.size === 0) this.#byTerm.delete(term);
    }
  }
}

/** Whether both have the same terms, by identity of what they are made of; a false answer costs time only. */
function isFoundAs(a: Agent, b: Agent): boolean {
  return (
    a.capabilities === b.capabilities &&
    a.metadata === b.metadata &&
    a.type === b.type &&
    a.namespace === b.namespace &&
    a.cluster === b.cluster &&
    a.version === b.version
  );
}
