import { join } from 'node:path';
import type { RenderOptions } from '../helm.ts';
import { merged } from '../vault/installation.ts';

export const NAMESPACE = 'spire';
export const AGENT_NAMESPACE = 'spire-system';

/** Ways to install the chart; together they render every branch of its templates. */
export type Rendering = 'prod' | 'dev' | 'full' | 'hostNetwork' | 'disk' | 'bare';

export const RENDERINGS: readonly Rendering[] = ['prod', 'dev', 'full', 'hostNetwork', 'disk', 'bare'];

/** All that production leaves out, at once. */
const FULL = {
  global: { trustDomain: 'neural-hive.local' },
  image: { pullSecrets: ['registry'] },
  server: {
    image: { digest: `sha256:${'a'.repeat(64)}` },
    adminIds: ['spiffe://neural-hive.local/operator'],
    experimental: { events_based_cache: true },
    keyManager: { type: 'disk' },
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
  networkPolicy: { federationCidrs: ['198.51.100.0/24'] },
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
  bare: {
    agent: { namespace: { name: '', create: false } },
    oidc: { enabled: false },
    entries: { enabled: false },
    csiDriver: { install: false },
    monitoring: { enabled: false },
    tests: { enabled: false },
  },
};

/** How helm is called for it; `over` wins over its values. */
export function rendering(root: string, name: Rendering, over?: Readonly<Record<string, unknown>>): RenderOptions {
  const chart = join(root, 'helm-charts', 'spire');
  const file = join(chart, name === 'dev' ? 'values-dev.yaml' : 'values-prod.yaml');
  const values = merged(name === 'dev' ? {} : (OVER_PROD[name] ?? {}), over ?? {});
  return { chart, release: 'spire', namespace: NAMESPACE, valueFiles: [file], values };
}

/** The chart as every profile and every variant renders it, for the checks that judge all charts alike. */
export function spireRenderings(root: string): readonly { readonly name: string; readonly options: RenderOptions }[] {
  return RENDERINGS.map((name) => ({ name: `spire, ${name}`, options: rendering(root, name) }));
}
