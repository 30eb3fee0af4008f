import type { RenderOptions } from '../helm.ts';
import {
  overlaid,
  PEERS_OF_WORKERS,
  PRODUCTION_ENGINE,
  ROTATION,
  SERVICE_NAMES,
  production as service,
  umbrella,
  type Values,
} from '../services/service-charts.ts';
import { rendering } from '../spire/renderings.ts';
import { production as vault } from '../vault/installation.ts';
import { FALLBACK } from '../vault/variants.ts';

/** A chart as production installs it. */
export interface Subject {
  readonly name: string;
  readonly options: RenderOptions;
  /** Where in the repository the chart and what it is made of are. */
  readonly sources: readonly string[];
  /** Whose pods need what `restricted` forbids. */
  readonly privileged: readonly string[];
}

/** Made before anything is installed. The umbrella makes those of the services. */
export const RESTRICTED: readonly string[] = ['neural-hive', 'spire', 'vault'];

/** With what brings more accounts, and more rights of them; alone and in the umbrella. */
const WITH_RIGHTS: Readonly<Record<string, Values>> = {
  'orchestrator-dynamic': overlaid(ROTATION, PRODUCTION_ENGINE),
  'worker-agents': PEERS_OF_WORKERS,
};

const LIBRARY = 'helm-charts/service-library';

/**
 * In the order in which they are tried: each alone on the cluster. The umbrella makes the namespaces that the services’ own
 * charts then go to. Vault is last, since no pod of the services would be admitted while its injector does not answer.
 */
export function subjects(root: string): readonly Subject[] {
  const chartOf = (name: string): string => `helm-charts/${name}`;
  return [
    {
      name: 'neural-hive',
      options: umbrella(root, 'prod', WITH_RIGHTS),
      sources: ['neural-hive', ...SERVICE_NAMES].map(chartOf).concat(LIBRARY),
      privileged: [],
    },
    ...SERVICE_NAMES.map((name) => ({
      name,
      options: service(root, name, WITH_RIGHTS[name] ?? {}),
      sources: [chartOf(name), LIBRARY],
      privileged: [],
    })),
    { name: 'spire', options: rendering(root, 'prod'), sources: [chartOf('spire')], privileged: ['spire-system'] },
    { name: 'vault', options: vault(root, FALLBACK), sources: [chartOf('vault')], privileged: [] },
  ];
}
