import type { Agent } from '../domain/agent.ts';

/** Agents by id, by capability and by owner. The cost of a search does not grow with agents that cannot match. */
export class AgentIndex {
  readonly #agents = new Map<string, Agent>();
  readonly #byCapability = new Map<string, Set<string>>();
  readonly #perIdentity = new Map<string, number>();
  #sortedIds: readonly string[] | undefined;

  get size(): number {
    return this.#agents.size;
  }

  get(agentId: string): Agent | undefined {
    return this.#agents.get(agentId);
  }

  values(): Iterable<Agent> {
    return this.#agents.values();
  }

  ofIdentity(spiffeId: string): number {
    return this.#perIdentity.get(spiffeId) ?? 0;
  }

  put(agent: Agent): void {
    const previous = this.#agents.get(agent.agentId);
    this.#agents.set(agent.agentId, agent);
    if (previous?.capabilities === agent.capabilities) return;
    if (previous === undefined) {
      this.#sortedIds = undefined;
      this.#perIdentity.set(agent.spiffeId, this.ofIdentity(agent.spiffeId) + 1);
    } else {
      this.#removeCapabilities(previous);
    }
    for (const capability of agent.capabilities) {
      const holders = this.#byCapability.get(capability);
      if (holders === undefined) this.#byCapability.set(capability, new Set([agent.agentId]));
      else holders.add(agent.agentId);
    }
  }

  remove(agentId: string): void {
    const agent = this.#agents.get(agentId);
    if (agent === undefined) return;
    this.#agents.delete(agentId);
    this.#sortedIds = undefined;
    this.#removeCapabilities(agent);
    const left = this.ofIdentity(agent.spiffeId) - 1;
    if (left === 0) this.#perIdentity.delete(agent.spiffeId);
    else this.#perIdentity.set(agent.spiffeId, left);
  }

  /** The agents that hold all of the capabilities. */
  withCapabilities(capabilities: readonly string[]): readonly Agent[] {
    const holders = capabilities.map((capability) => this.#byCapability.get(capability) ?? new Set<string>());
    const [rarest, ...others] = holders.sort((a, b) => a.size - b.size);
    const found: Agent[] = [];
    for (const agentId of rarest ?? []) {
      const agent = this.#agents.get(agentId);
      if (agent !== undefined && others.every((set) => set.has(agentId))) found.push(agent);
    }
    return found;
  }

  /** Up to `limit` agents in the order of their ids, behind `afterId`. */
  page(afterId: string, limit: number): readonly Agent[] {
    this.#sortedIds ??= [...this.#agents.keys()].sort();
    const ids = this.#sortedIds;
    let low = 0;
    for (let high = ids.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if ((ids[middle] ?? '') <= afterId) low = middle + 1;
      else high = middle;
    }
    return ids.slice(low, low + limit).flatMap((id) => this.#agents.get(id) ?? []);
  }

  #removeCapabilities(agent: Agent): void {
    for (const capability of agent.capabilities) {
      const holders = this.#byCapability.get(capability);
      holders?.delete(agent.agentId);
      if (holders?.size === 0) this.#byCapability.delete(capability);
    }
  }
}
