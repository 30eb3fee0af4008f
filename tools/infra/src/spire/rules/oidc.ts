import { deepEqual, equal, ok } from 'node:assert/strict';
import { AGENT_SOCKET, SPIFFE_ISSUER } from '@neural-hive/contracts';
import { at, listAt } from '../../manifests.ts';
import { changed, without, withoutManifest } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { configuration, reconfigured } from '../configuration.ts';
import { assertRestricted, POD, volumeAt } from './pods.ts';

const PROVIDER = ['Deployment', 'spire-oidc'] as const;
const CONTAINER = `${POD}.containers.name=oidc-discovery-provider`;
const HOST = new URL(SPIFFE_ISSUER).host;
const NAMES = [HOST, 'spire-oidc', 'spire-oidc.spire', 'spire-oidc.spire.svc', 'spire-oidc.spire.svc.cluster.local'];

/** Points 35 to 37, as production is installed. */
export const OIDC_RULES: readonly Rule[] = [
  {
    id: 'spire-35',
    what: 'two providers, apart, show the keys under every name that they are asked by, over TLS and by their own identity',
    assert: (manifests) => {
      const { spec } = manifests.get(...PROVIDER);
      equal(at(spec, 'replicas'), 2);
      assertRestricted(at(spec, 'template'));
      equal(
        at(spec, 'template.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution.0.topologyKey'),
        'kubernetes.io/hostname',
      );
      equal(at(spec, 'template.spec.topologySpreadConstraints.0.topologyKey'), 'topology.kubernetes.io/zone');
      equal(manifests.at('PodDisruptionBudget', 'spire-oidc', 'spec.maxUnavailable'), 1);
      const config = configuration(manifests, 'spire-oidc');
      deepEqual(at(config, 'domains'), NAMES);
      equal(at(config, 'jwks_uri'), `${SPIFFE_ISSUER}/keys`);
      equal(at(config, 'set_key_use'), true);
      equal(at(config, 'workload_api.socket_path'), AGENT_SOCKET);
      for (const field of ['acme', 'insecure_addr', 'allow_insecure_scheme', 'server_api'])
        equal(at(config, field), undefined, field);
      const file = String(at(config, 'serving_cert_file.cert_file_path'));
      equal(
        at(volumeAt(manifests.get(...PROVIDER), file), 'secret.secretName'),
        manifests.at('Certificate', 'spire-oidc', 'spec.secretName'),
      );
      deepEqual(manifests.at('Certificate', 'spire-oidc', 'spec.dnsNames'), NAMES);
    },
    mutations: [
      changed(...PROVIDER, 'spec.replicas', 1),
      withoutManifest('PodDisruptionBudget', 'spire-oidc'),
      without(...PROVIDER, `${POD}.affinity`),
      without(...PROVIDER, `${POD}.topologySpreadConstraints`),
      reconfigured('spire-oidc', 'domains', [HOST]),
      reconfigured('spire-oidc', 'set_key_use', undefined),
      reconfigured('spire-oidc', 'acme', { email: 'a@b', tos_accepted: true }),
      reconfigured('spire-oidc', 'insecure_addr', ':8080'),
      reconfigured('spire-oidc', 'workload_api.socket_path', '/tmp/agent.sock'),
      without(...PROVIDER, `${POD}.volumes.name=tls`),
      changed('Certificate', 'spire-oidc', 'spec.dnsNames', ['spire-oidc']),
      without(...PROVIDER, `${POD}.securityContext.seccompProfile`),
    ],
  },
  {
    id: 'spire-36',
    what: 'the ingress serves the issuer’s host over TLS, all paths, and speaks TLS to the provider',
    assert: (manifests) => {
      const ingress = manifests.get('Ingress', 'spire-oidc');
      equal(at(ingress, 'spec.ingressClassName'), 'nginx');
      deepEqual(at(ingress, 'spec.tls.0.hosts'), [HOST]);
      ok(at(ingress, 'spec.tls.0.secretName'), 'secretName');
      equal(at(ingress, 'spec.rules.0.host'), HOST);
      const [path, ...others] = listAt(ingress, 'spec.rules.0.http.paths');
      deepEqual(others, []);
      equal(at(path, 'path'), '/');
      equal(at(path, 'pathType'), 'Prefix');
      const { name, port } = at(path, 'backend.service') as { name: string; port: { name: string } };
      const service = manifests.get('Service', name);
      equal(at(service, `spec.ports.name=${port.name}.targetPort`), 'web');
      equal(ingress.metadata.annotations?.['nginx.ingress.kubernetes.io/backend-protocol'], 'HTTPS');
      const { containerPort } = at(manifests.get(...PROVIDER), `${CONTAINER}.ports.name=web`) as {
        containerPort: number;
      };
      equal(`:${containerPort}`, at(configuration(manifests, 'spire-oidc'), 'serving_cert_file.addr'));
    },
    mutations: [
      without('Ingress', 'spire-oidc', 'spec.tls'),
      changed('Ingress', 'spire-oidc', 'spec.rules.0.host', 'oidc.example'),
      changed('Ingress', 'spire-oidc', 'spec.rules.0.http.paths.0.path', '/.well-known'),
      without('Ingress', 'spire-oidc', 'spec.ingressClassName'),
      changed('Ingress', 'spire-oidc', 'spec.rules.0.http.paths.0.backend.service.port.name', 'http'),
      without('Ingress', 'spire-oidc', 'metadata.annotations'),
      reconfigured('spire-oidc', 'serving_cert_file.addr', ':443'),
    ],
  },
  {
    id: 'spire-37',
    what: 'a provider is ready once it has keys',
    assert: (manifests) => {
      const health = at(configuration(manifests, 'spire-oidc'), 'health_checks');
      deepEqual(health, { bind_port: 8008, live_path: '/live', ready_path: '/ready' });
      const container = at(manifests.get(...PROVIDER), CONTAINER);
      equal(at(container, 'ports.name=health.containerPort'), 8008);
      for (const [probe, path] of [
        ['startupProbe', '/ready'],
        ['readinessProbe', '/ready'],
        ['livenessProbe', '/live'],
      ] as const) {
        deepEqual(at(container, `${probe}.httpGet`), { path, port: 'health' }, probe);
      }
    },
    mutations: [
      reconfigured('spire-oidc', 'health_checks', undefined),
      without(...PROVIDER, `${CONTAINER}.readinessProbe`),
      changed(...PROVIDER, `${CONTAINER}.livenessProbe.httpGet.path`, '/ready'),
    ],
  },
];
