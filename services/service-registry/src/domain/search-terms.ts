import { SECURITY_LEVELS } from '@neural-hive/contracts';
import { type Agent, clearanceOf } from './agent.ts';
import type { AgentFilter } from './discovery.ts';

/** The properties by which an agent can be found, each as one text. A search wants some of them, all at once. */
export function termsOf(agent: Agent): readonly string[] {
  return [
    ...agent.capabilities.map(capability),
    `type ${agent.type}`,
    `namespace ${agent.namespace}`,
    `cluster ${agent.cluster}`,
    `version ${agent.version}`,
    // Whoever is cleared for a level is found for the lower ones too.
    ...SECURITY_LEVELS.slice(0, clearanceOf(agent) + 1).map(clearance),
  ];
}

/** The terms of the agents that hold the capabilities and pass the filter; its status is not among them. */
export function wantedTerms(capabilities: readonly string[], filter: AgentFilter): readonly string[] {
  const { type, namespace, cluster, version, securityLevel } = filter;
  return [
    ...capabilities.map(capability),
    ...(type === undefined ? [] : [`type ${type}`]),
    ...(namespace === undefined ? [] : [`namespace ${namespace}`]),
    ...(cluster === undefined ? [] : [`cluster ${cluster}`]),
    ...(version === undefined ? [] : [`version ${version}`]),
    ...(securityLevel === undefined ? [] : [clearance(securityLevel)]),
  ];
}

function capability(name: string): string {
  return `capability ${name}`;
}

function clearance(level: string): string {
  return `clearance ${level}`;
}
