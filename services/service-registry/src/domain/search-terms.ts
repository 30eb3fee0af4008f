import { SECURITY_LEVELS } from '@neural-hive/contracts';
import { type Agent, clearanceOf, conditionOf } from './agent.ts';
import type { AgentFilter } from './discovery.ts';

/**
 * The properties by which an agent can be found, each as one text; a search wants some of them, all at once. An agent
 * that was announced as UNHEALTHY has none until its next heartbeat.
 */
export function termsOf(agent: Agent): readonly string[] {
  if (agent.status === 'UNHEALTHY') return [];
  return [
    ...agent.capabilities.map(capability),
    `type ${agent.type}`,
    `namespace ${agent.namespace}`,
    `cluster ${agent.cluster}`,
    `version ${agent.version}`,
    `status ${conditionOf(agent)}`,
    // Whoever is cleared for a level is found for the lower ones too.
    ...SECURITY_LEVELS.slice(0, clearanceOf(agent) + 1).map(clearance),
  ];
}

/** The terms of the agents that hold the capabilities and pass the filter. */
export function wantedTerms(capabilities: readonly string[], filter: AgentFilter): readonly string[] {
  const { type, namespace, cluster, version, status, securityLevel } = filter;
  return [
    ...capabilities.map(capability),
    ...(type === undefined ? [] : [`type ${type}`]),
    ...(namespace === undefined ? [] : [`namespace ${namespace}`]),
    ...(cluster === undefined ? [] : [`cluster ${cluster}`]),
    ...(version === undefined ? [] : [`version ${version}`]),
    ...(status === undefined ? [] : [`status ${status}`]),
    ...(securityLevel === undefined ? [] : [clearance(securityLevel)]),
  ];
}

function capability(name: string): string {
  return `capability ${name}`;
}

function clearance(level: string): string {
  return `clearance ${level}`;
}

/** Whether both agents have the same terms, judged quickly: a wrong no costs time only, and there is no wrong yes. */
export function haveSameTerms(a: Agent, b: Agent): boolean {
  return (
    a.capabilities === b.capabilities &&
    a.metadata === b.metadata &&
    a.type === b.type &&
    a.namespace === b.namespace &&
    a.cluster === b.cluster &&
    a.version === b.version &&
    (a.status === 'UNHEALTHY') === (b.status === 'UNHEALTHY') &&
    conditionOf(a) === conditionOf(b)
  );
}
