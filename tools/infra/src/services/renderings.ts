import type { Rendering } from '../renderings.ts';
import {
  development,
  JOURNAL,
  PEERS_OF_WORKERS,
  PRODUCTION_ENGINE,
  production,
  ROTATION,
  SERVICE_NAMES,
  umbrella,
} from './service-charts.ts';

const HOST_PATH = { spire: { socket: 'hostPath' }, podSecurity: 'privileged' };
const INJECTED = { vault: { mode: 'agent' }, extraCa: { configMap: 'rds-ca' } };

/** The services' charts as each profile and each variant renders them. */
export function serviceRenderings(root: string): readonly Rendering[] {
  return [
    ...SERVICE_NAMES.flatMap((name) => [
      { name: `${name}, production`, options: production(root, name) },
      { name: `${name}, development`, options: development(root, name) },
      { name: `${name}, agent injected`, options: production(root, name, INJECTED) },
      { name: `${name}, socket of the node`, options: production(root, name, HOST_PATH) },
    ]),
    { name: 'service-registry, journal', options: production(root, 'service-registry', JOURNAL) },
    { name: 'worker-agents, every peer', options: production(root, 'worker-agents', PEERS_OF_WORKERS) },
    { name: 'orchestrator-dynamic, Temporal', options: production(root, 'orchestrator-dynamic', PRODUCTION_ENGINE) },
    { name: 'orchestrator-dynamic, rotation', options: production(root, 'orchestrator-dynamic', ROTATION) },
    { name: 'neural-hive, production', options: umbrella(root, 'prod') },
    { name: 'neural-hive, development', options: umbrella(root, 'dev') },
  ];
}
