import { type Clock, systemClock } from '@neural-hive/security/common';
import {
  type Agent,
  type AgentDescription,
  type AgentStatus,
  type AgentType,
  agentIdOf,
  type HeartbeatTiming,
  sameDescription,
  statusAt,
  type Telemetry,
} from './agent.ts';
import type { AgentStore, Decision, NewChange } from './agent-store.ts';
import type { Notification } from './change-log.ts';
import { type Candidate, chooseBest, matches, parseFilter, type Ranked } from './discovery.ts';
import {
  checkDescription,
  checkedCapabilities,
  checkedCount,
  checkNotification,
  checkTelemetry,
  LIMITS,
} from './limits.ts';
import { RegistryError } from './registry-error.ts';
import type { RegistryMetrics } from './registry-metrics.ts';
import { wantedTerms } from './search-terms.ts';
import { watchNames } from './watchers.ts';

export interface RegistryOptions {
  readonly store: AgentStore;
  readonly timing: HeartbeatTiming;
  /** Agents that one identity may have at once. */
  readonly maxAgentsPerIdentity: number;
  /** Agents of all identities together. */
  readonly maxAgents: number;
  readonly metrics?: RegistryMetrics | undefined;
  readonly clock?: Clock;
}

export interface RegisterCommand extends AgentDescription {
  readonly instanceId: string;
  readonly telemetry: Telemetry | undefined;
}

/** An agent as it is now. */
export type AgentNow = Candidate;

/** The rules of the registry: who may register, what a heartbeat means, who is found. */
export class Registry {
  readonly #options: RegistryOptions & { readonly clock: Clock };

  constructor(options: RegistryOptions) {
    this.#options = { clock: systemClock, ...options };
  }

  /** Registers an agent of `caller`; calling again with the same instance refreshes the same agent. */
  async register(caller: string, command: RegisterCommand): Promise<Agent> {
    const { instanceId, telemetry } = command;
    const described: AgentDescription = {
      type: command.type,
      capabilities: checkedCapabilities(command.capabilities),
      metadata: command.metadata,
      namespace: command.namespace,
      cluster: command.cluster,
      version: command.version,
    };
    checkDescription(described, instanceId);
    if (telemetry !== undefined) checkTelemetry(telemetry);
    const { store, metrics, maxAgents, maxAgentsPerIdentity } = this.#options;
    const agentId = agentIdOf(caller, instanceId);
    const agent = await store.update(agentId, (current): Decision<Agent> => {
      const nowMs = this.#now();
      const same = current !== undefined && sameDescription(current, described);
      const fresh = this.#withStatus({
        // What is the same is kept as the same object: stores see by it that there is nothing to index anew.
        ...(same ? current : described),
        agentId,
        spiffeId: caller,
        instanceId,
        telemetry: telemetry ?? current?.telemetry,
        status: current?.status ?? 'HEALTHY',
        registeredAtMs: current?.registeredAtMs ?? nowMs,
        lastSeenMs: nowMs,
      });
      if (same) return refreshed(current, fresh, nowMs, fresh);
      const change: NewChange = {
        type: current === undefined ? 'REGISTERED' : 'UPDATED',
        agent: fresh,
        atMs: nowMs,
        ...(current !== undefined && current.type !== fresh.type && { previousType: current.type }),
      };
      const room = { agents: maxAgents, ofIdentity: maxAgentsPerIdentity };
      return { kind: 'change', change, result: fresh, ...(current === undefined && { room }) };
    });
    metrics?.registered();
    return agent;
  }

  async heartbeat(caller: string, agentId: string, telemetry: Telemetry | undefined): Promise<Agent> {
    const { store, metrics } = this.#options;
    let type: AgentType | 'unknown' = 'unknown';
    try {
      if (telemetry !== undefined) checkTelemetry(telemetry);
      const agent = await store.update(agentId, (found): Decision<Agent> => {
        const current = owned(found, agentId, caller);
        type = current.type;
        const nowMs = this.#now();
        const fresh = this.#withStatus({
          ...current,
          lastSeenMs: nowMs,
          telemetry: telemetry ?? current.telemetry,
        });
        return refreshed(current, fresh, nowMs, fresh);
      });
      metrics?.heartbeat(type, agent.status);
      return agent;
    } catch (error) {
      metrics?.heartbeat(type, 'refused');
      throw error;
    }
  }

  /** False when there is no such agent: it is gone, as the caller wants it. */
  async deregister(caller: string, agentId: string): Promise<boolean> {
    const { store, metrics } = this.#options;
    const removed = await store.update(agentId, (found): Decision<boolean> => {
      if (found === undefined) return { kind: 'keep', result: false };
      const agent = owned(found, agentId, caller);
      return { kind: 'change', change: { type: 'DEREGISTERED', agent, atMs: this.#now() }, result: true };
    });
    if (removed) metrics?.deregistered();
    return removed;
  }

  async discover(request: {
    readonly capabilities: readonly string[];
    readonly filters: Readonly<Record<string, string>>;
    readonly maxResults: number;
  }): Promise<readonly Ranked[]> {
    const { store, metrics, clock, timing } = this.#options;
    const startedMs = clock.monotonicMs();
    const capabilities = checkedCapabilities(request.capabilities);
    const filter = parseFilter(request.filters);
    const max = checkedCount('max_results', request.maxResults, LIMITS.discoverResults);
    const able = await store.search(wantedTerms(capabilities, filter));
    const { best, evaluated } = chooseBest(able, { nowMs: this.#now(), timing, max });
    metrics?.discovery(filter.type ?? 'any', (clock.monotonicMs() - startedMs) / 1000, evaluated, best.length);
    return best;
  }

  async get(agentId: string): Promise<AgentNow> {
    const agent = await this.#options.store.get(agentId);
    if (agent === undefined) throw unknownAgent(agentId);
    return this.#candidate(agent);
  }

  /** One page in the order of the ids. `nextAfterId` is undefined on the last page. */
  async list(request: {
    readonly type: AgentType | undefined;
    readonly filters: Readonly<Record<string, string>>;
    readonly pageSize: number;
    readonly afterId: string;
  }): Promise<{ readonly agents: readonly AgentNow[]; readonly nextAfterId: string | undefined }> {
    const filter = { ...parseFilter(request.filters), ...(request.type !== undefined && { type: request.type }) };
    const size = checkedCount('page_size', request.pageSize, LIMITS.page);
    const agents: AgentNow[] = [];
    let afterId = request.afterId;
    for (;;) {
      const batch = await this.#options.store.page(afterId, LIMITS.page.max);
      for (const agent of batch) {
        const candidate = this.#candidate(agent);
        if (!matches(candidate, filter)) continue;
        if (agents.length === size) return { agents, nextAfterId: agents.at(-1)?.agent.agentId };
        agents.push(candidate);
      }
      const last = batch.at(-1);
      if (last === undefined || batch.length < LIMITS.page.max) return { agents, nextAfterId: undefined };
      afterId = last.agentId;
    }
  }

  /**
   * Puts a notification on the watch streams of the agent's identity that are for this agent or for all. False when there
   * are none now, on any replica: nothing is kept for later then.
   */
  async notify(agentId: string, notification: Notification): Promise<boolean> {
    checkNotification(notification);
    const { store } = this.#options;
    const { agent } = await this.get(agentId);
    if (!(await store.isWatched(watchNames(agent)))) return false;
    return store.update(agentId, (current): Decision<boolean> => {
      if (current === undefined) throw unknownAgent(agentId);
      const change: NewChange = { type: 'NOTIFIED', agent: current, atMs: this.#now(), notification };
      return { kind: 'change', change, result: true };
    });
  }

  #now(): number {
    return this.#options.clock.now();
  }

  #candidate(agent: Agent): Candidate {
    return { agent, status: statusAt(agent, this.#now(), this.#options.timing) };
  }

  #withStatus(agent: Agent): Agent {
    const status: AgentStatus = statusAt(agent, agent.lastSeenMs, this.#options.timing);
    return { ...agent, status };
  }
}

/** A sign of life: announced only when it changes the status. */
function refreshed<T>(current: Agent, fresh: Agent, atMs: number, result: T): Decision<T> {
  return current.status === fresh.status
    ? { kind: 'refresh', agent: fresh, result }
    : { kind: 'change', change: { type: 'STATUS_CHANGED', agent: fresh, atMs }, result };
}

function owned(agent: Agent | undefined, agentId: string, caller: string): Agent {
  if (agent === undefined) throw unknownAgent(agentId);
  if (agent.spiffeId !== caller) {
    throw new RegistryError('not_yours', `Agent ${agentId} was registered by another identity`);
  }
  return agent;
}

function unknownAgent(agentId: string): RegistryError {
  return new RegistryError('unknown_agent', `There is no agent ${agentId.slice(0, 64)}: register it again`);
}
