import { join } from 'node:path';
import type { RenderOptions } from '../helm.ts';

export const NAMESPACE = 'spire';
export const AGENT_NAMESPACE = 'spire-system';

/** A helm from `go install` takes itself for one of 1.20, for which the chart is not. */
const KUBERNETES = '1.34.0';

/** Ways to install the chart; together they render every branch of its templates. */
export type Rendering = 'prod' | 'dev' | 'full' | 'hostNetwork' | 'disk';

/** All that production leaves out, at once. */
const FULL = {
  global: { trustDomain: 'neural-hive.local' },
  image: { pullSecrets: ['registry'] },
  server: {
    image: { digest: `sha256:${'a'.repeat(64)}` },
    adminIds: ['spiffe://neural-hive.local/operator'],
    experimental: { events_based_cache: true },
    upstreamAuthority: {
      type: 'vault',
      vault: { address: 'https://vault.vault.svc.cluster.local:8200', caSecret: { name: 'vault-ca' } },
    },
    federation: {
      bundleEndpoint: { enabled: true, allowedCidrs: ['192.0.2.0/24'] },
      federatesWith: {
        'other.test': {
          url: 'https://bundle.other.test:8443',
          profile: 'https_spiffe',
          endpointSpiffeId: 'spiffe://other.test/spire/server',
        },
      },
    },
    podAnnotations: { note: 'server' },
  },
  database: { readOnlyHost: 'spire-replica.internal' },
  agent: {
    keyManager: 'disk',
    unixAttestor: true,
    availabilityTarget: '24h',
    svidCacheSize: 500,
    authorizedDelegates: ['spiffe://neural-hive.local/operator'],
    experimental: { sync_interval: '10s' },
    kubelet: { verification: 'hostCert' },
  },
  entries: {
    workloads: [
      {
        namespace: 'neural-hive-registry',
        serviceAccount: 'service-registry',
        x509SvidTtl: '30m',
        jwtSvidTtl: '2m',
        dnsNames: ['service-registry.neural-hive-registry.svc'],
        federatesWith: ['other.test'],
        selectors: ['k8s:container-name:service-registry'],
      },
    ],
  },
};

const OVER_PROD: Readonly<Record<Exclude<Rendering, 'dev'>, Readonly<Record<string, unknown>> | undefined>> = {
  prod: undefined,
  full: FULL,
  hostNetwork: { agent: { hostNetwork: true, kubelet: { address: 'localhost' } } },
  disk: { server: { keyManager: { type: 'disk' } } },
};

/** How helm is called for it; `over` wins over its values. */
export function rendering(root: string, name: Rendering, over?: Readonly<Record<string, unknown>>): RenderOptions {
  const chart = join(root, 'helm-charts', 'spire');
  const file = join(chart, name === 'dev' ? 'values-dev.yaml' : 'values-prod.yaml');
  const values = merged(name === 'dev' ? {} : (OVER_PROD[name] ?? {}), over ?? {});
  return { chart, release: 'spire', namespace: NAMESPACE, valueFiles: [file], values, kubeVersion: KUBERNETES };
}

type Values = Readonly<Record<string, unknown>>;

function isValues(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** As helm merges files of values: maps into each other, everything else replaced. */
function merged(below: Values, above: Values): Values {
  const entries = Object.entries(above).map(([key, value]): [string, unknown] => {
    const under = below[key];
    return [key, isValues(under) && isValues(value) ? merged(under, value) : value];
  });
  return { ...below, ...Object.fromEntries(entries) };
}
