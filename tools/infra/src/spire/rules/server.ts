import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { SPIFFE_ISSUER, TRUST_DOMAIN } from '@neural-hive/contracts';
import { at, listAt } from '../../manifests.ts';
import { changed, without, withoutManifest } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { configuration, configurationText, reconfigured } from '../configuration.ts';
import { secondsOf } from '../seconds.ts';
import { assertRestricted, mountAt, POD, volumeAt } from './pods.ts';

const SERVER = ['StatefulSet', 'spire-server'] as const;
const CONTAINER = `${POD}.containers.name=spire-server`;
const KEY_TYPES = ['rsa-2048', 'rsa-4096', 'ec-p256', 'ec-p384'];

/** Points 1 to 5, 12 and 15 to 18: what every server has, however its keys are kept. */
export const SERVER_RULES: readonly Rule[] = [
  {
    id: 'spire-1',
    what: 'servers, agents and the OIDC provider are of the trust domain that the code knows',
    assert: (manifests) => {
      equal(at(configuration(manifests, 'spire-server'), 'server.trust_domain'), TRUST_DOMAIN);
      equal(at(configuration(manifests, 'spire-agent'), 'agent.trust_domain'), TRUST_DOMAIN);
      equal(at(configuration(manifests, 'spire-oidc'), 'workload_api.trust_domain'), TRUST_DOMAIN);
    },
    mutations: [
      reconfigured('spire-server', 'server.trust_domain', 'example.org'),
      reconfigured('spire-agent', 'agent.trust_domain', 'neural-hive.test'),
      reconfigured('spire-oidc', 'workload_api.trust_domain', undefined),
    ],
  },
  {
    id: 'spire-2',
    what: 'the authority has a subject and a key type, and lives six times as long as what it signs',
    assert: (manifests) => {
      const server = at(configuration(manifests, 'spire-server'), 'server');
      ok(listAt(server, 'ca_subject.0.organization').length > 0, 'ca_subject.organization');
      ok(String(at(server, 'ca_subject.0.common_name') ?? '') !== '', 'ca_subject.common_name');
      ok(KEY_TYPES.includes(String(at(server, 'ca_key_type'))), 'ca_key_type');
      const svid = secondsOf(at(server, 'default_x509_svid_ttl'));
      ok(secondsOf(at(server, 'ca_ttl')) >= 6 * svid, 'ca_ttl is shorter than six identities');
      ok(secondsOf(at(server, 'default_jwt_svid_ttl')) <= svid, 'default_jwt_svid_ttl');
      ok(secondsOf(at(server, 'agent_ttl')) > 0, 'agent_ttl');
    },
    mutations: [
      reconfigured('spire-server', 'server.ca_ttl', '5h'),
      reconfigured('spire-server', 'server.ca_subject', undefined),
      reconfigured('spire-server', 'server.default_jwt_svid_ttl', '24h'),
      reconfigured('spire-server', 'server.agent_ttl', undefined),
    ],
  },
  {
    id: 'spire-3',
    what: 'tokens name the issuer that the code expects, which is where the OIDC provider answers',
    assert: (manifests) => {
      const server = at(configuration(manifests, 'spire-server'), 'server');
      equal(at(server, 'jwt_issuer'), SPIFFE_ISSUER);
      equal(at(configuration(manifests, 'spire-oidc'), 'jwt_issuer'), SPIFFE_ISSUER);
      equal(`https://${String(manifests.at('Ingress', 'spire-oidc', 'spec.rules.0.host'))}`, SPIFFE_ISSUER);
      ok(['rsa-2048', 'ec-p256'].includes(String(at(server, 'jwt_key_type'))), 'RS256 or ES256');
    },
    mutations: [
      reconfigured('spire-server', 'server.jwt_issuer', `${SPIFFE_ISSUER}/`),
      reconfigured('spire-oidc', 'jwt_issuer', undefined),
      changed('Ingress', 'spire-oidc', 'spec.rules.0.host', 'oidc.neural-hive.local'),
      reconfigured('spire-server', 'server.jwt_key_type', undefined),
    ],
  },
  {
    id: 'spire-4',
    what: 'data is on a volume of the server, its own API on a socket that no other pod reaches, its log is JSON with an audit trail',
    assert: (manifests) => {
      const server = at(configuration(manifests, 'spire-server'), 'server');
      const workload = manifests.get(...SERVER);
      const data = volumeAt(workload, String(at(server, 'data_dir')));
      ok(at(data, 'persistentVolumeClaim') !== undefined, 'data_dir is not on a claim');
      const socket = volumeAt(workload, String(at(server, 'socket_path')));
      deepEqual(at(socket, 'emptyDir'), {}, 'the socket is not in an emptyDir');
      equal(at(server, 'bind_address'), '0.0.0.0');
      equal(at(server, 'bind_port'), at(workload, `${CONTAINER}.ports.name=grpc.containerPort`));
      equal(at(server, 'log_format'), 'json');
      equal(at(server, 'audit_log_enabled'), true);
    },
    mutations: [
      reconfigured('spire-server', 'server.data_dir', '/run/spire/server/data'),
      changed(...SERVER, `${POD}.volumes.name=private-socket`, { name: 'private-socket', hostPath: { path: '/run' } }),
      reconfigured('spire-server', 'server.bind_port', 8082),
      reconfigured('spire-server', 'server.log_format', undefined),
      reconfigured('spire-server', 'server.audit_log_enabled', false),
    ],
  },
  {
    id: 'spire-5',
    what: 'three servers start at once, on different nodes and zones, and one at a time may be away',
    assert: (manifests) => {
      const { spec } = manifests.get(...SERVER);
      equal(at(spec, 'replicas'), 3);
      equal(at(spec, 'podManagementPolicy'), 'Parallel');
      equal(at(spec, 'updateStrategy.type'), 'RollingUpdate');
      const labels = at(spec, 'selector.matchLabels');
      const away = at(spec, 'template.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution.0');
      equal(at(away, 'topologyKey'), 'kubernetes.io/hostname');
      deepEqual(at(away, 'labelSelector.matchLabels'), labels);
      const zone = at(spec, 'template.spec.topologySpreadConstraints.0');
      equal(at(zone, 'topologyKey'), 'topology.kubernetes.io/zone');
      equal(at(zone, 'whenUnsatisfiable'), 'DoNotSchedule');
      deepEqual(at(zone, 'labelSelector.matchLabels'), labels);
      const budget = manifests.get('PodDisruptionBudget', 'spire-server');
      equal(at(budget, 'spec.maxUnavailable'), 1);
      deepEqual(at(budget, 'spec.selector.matchLabels'), labels);
    },
    mutations: [
      changed(...SERVER, 'spec.replicas', 1),
      without(...SERVER, 'spec.podManagementPolicy'),
      without(...SERVER, `${POD}.affinity`),
      without(...SERVER, `${POD}.topologySpreadConstraints`),
      withoutManifest('PodDisruptionBudget', 'spire-server'),
      changed('PodDisruptionBudget', 'spire-server', 'spec.selector.matchLabels', { app: 'spire' }),
    ],
  },
  {
    id: 'spire-12',
    what: 'probes ask the health listener; a start may migrate the database, and a restart is the last thing tried',
    assert: (manifests) => {
      const health = at(configuration(manifests, 'spire-server'), 'health_checks');
      equal(at(health, 'listener_enabled'), true);
      equal(at(health, 'bind_address'), '0.0.0.0');
      const container = at(manifests.get(...SERVER), CONTAINER);
      equal(String(at(container, 'ports.name=health.containerPort')), at(health, 'bind_port'));
      for (const [probe, path] of [
        ['startupProbe', 'ready_path'],
        ['livenessProbe', 'live_path'],
        ['readinessProbe', 'ready_path'],
      ] as const) {
        equal(at(container, `${probe}.httpGet.port`), 'health', probe);
        equal(at(container, `${probe}.httpGet.path`), at(health, path), probe);
      }
      const startSeconds =
        Number(at(container, 'startupProbe.periodSeconds')) * Number(at(container, 'startupProbe.failureThreshold'));
      ok(startSeconds >= 300, `${startSeconds} s to start`);
      ok(Number(at(container, 'livenessProbe.periodSeconds')) >= 60, 'livenessProbe.periodSeconds');
      ok(Number(at(container, 'livenessProbe.failureThreshold')) >= 3, 'livenessProbe.failureThreshold');
    },
    mutations: [
      reconfigured('spire-server', 'health_checks.listener_enabled', false),
      reconfigured('spire-server', 'health_checks.bind_address', 'localhost'),
      reconfigured('spire-server', 'health_checks.bind_port', '80'),
      without(...SERVER, `${CONTAINER}.startupProbe`),
      changed(...SERVER, `${CONTAINER}.livenessProbe.periodSeconds`, 5),
      changed(...SERVER, `${CONTAINER}.readinessProbe.httpGet.path`, '/live'),
    ],
  },
  {
    id: 'spire-15',
    what: 'servers have requests and a memory limit, and are scheduled before what depends on them',
    assert: (manifests) => {
      const container = at(manifests.get(...SERVER), CONTAINER);
      for (const field of ['requests.cpu', 'requests.memory', 'limits.memory'])
        ok(at(container, `resources.${field}`), field);
      equal(manifests.at(...SERVER, `${POD}.priorityClassName`), 'system-cluster-critical');
    },
    mutations: [
      without(...SERVER, `${CONTAINER}.resources.requests`),
      without(...SERVER, `${CONTAINER}.resources.limits`),
      without(...SERVER, `${POD}.priorityClassName`),
    ],
  },
  {
    id: 'spire-16',
    what: 'a server runs as its image provides, as restricted pods do, and without a shell',
    assert: (manifests) => {
      const template = manifests.at(...SERVER, 'spec.template');
      assertRestricted(template);
      equal(at(template, 'spec.securityContext.runAsUser'), 1000);
      equal(at(template, 'spec.securityContext.fsGroup'), 1000);
      deepEqual(at(template, 'spec.containers.0.command'), ['/opt/spire/bin/spire-server']);
      match(String(at(template, 'spec.containers.0.image')), /^[a-z0-9.-]+\/spiffe\/spire-server:1\.15\.3$/);
    },
    mutations: [
      without(...SERVER, `${POD}.securityContext.runAsNonRoot`),
      without(...SERVER, `${POD}.securityContext.seccompProfile`),
      without(...SERVER, `${CONTAINER}.securityContext.readOnlyRootFilesystem`),
      without(...SERVER, `${CONTAINER}.securityContext.capabilities`),
      changed(...SERVER, `${CONTAINER}.command`, ['sh', '-c']),
      changed(...SERVER, `${CONTAINER}.image`, 'ghcr.io/spiffe/spire-server:latest'),
    ],
  },
  {
    id: 'spire-17',
    what: 'another configuration makes other pods',
    assert: (manifests) => {
      const sum = createHash('sha256').update(configurationText(manifests, 'spire-server').trimEnd()).digest('hex');
      equal(manifests.at(...SERVER, ['spec', 'template', 'metadata', 'annotations', 'checksum/config']), sum);
      equal(at(mountAt(manifests.get(...SERVER), '/run/spire/config/server.conf'), 'subPath'), undefined);
    },
    mutations: [
      without(...SERVER, 'spec.template.metadata.annotations'),
      reconfigured('spire-server', 'server.log_level', 'DEBUG'),
    ],
  },
  {
    id: 'spire-18',
    what: 'calls are limited by address, and nodes that are gone are forgotten',
    assert: (manifests) => {
      const server = at(configuration(manifests, 'spire-server'), 'server');
      deepEqual(at(server, 'ratelimit'), { attestation: true, signing: true });
      ok(secondsOf(at(server, 'prune_attested_nodes_expired_for')) > 0, 'prune_attested_nodes_expired_for');
    },
    mutations: [
      reconfigured('spire-server', 'server.ratelimit', undefined),
      reconfigured('spire-server', 'server.prune_attested_nodes_expired_for', undefined),
    ],
  },
];
