import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict';
import { at, listAt } from '../../manifests.ts';
import { changed, without, withoutManifest } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { configuration, reconfigured } from '../configuration.ts';
import { ALERT_METRICS, metricsOf } from '../metrics.ts';
import { AGENT_NAMESPACE, NAMESPACE } from '../renderings.ts';
import { assertRestricted, POD, selects, workloads } from './pods.ts';

const LABELS = ['name', 'instance', 'component', 'version', 'part-of', 'managed-by'].map(
  (key) => `app.kubernetes.io/${key}`,
);
const CLUSTER_KINDS = ['ClusterRole', 'ClusterRoleBinding', 'CSIDriver', 'Namespace'];

/** Points 13, 14, 41 and what holds for every object, as production is installed. */
export const PACKAGING_RULES: readonly Rule[] = [
  {
    id: 'spire-13',
    what: 'servers and agents show their metrics, and Prometheus is told where',
    assert: (manifests) => {
      const { telemetry } = configuration(manifests, 'spire-server');
      const port = at(telemetry, 'Prometheus.port');
      const server = manifests.get('StatefulSet', 'spire-server');
      equal(at(server, `${POD}.containers.0.ports.name=metrics.containerPort`), port);
      const monitor = manifests.get('ServiceMonitor', 'spire-server');
      const wanted = Object.entries(at(monitor, 'spec.selector.matchLabels') as Record<string, string>);
      const services = manifests
        .of('Service')
        .filter(({ metadata }) => wanted.every(([key, value]) => metadata.labels?.[key] === value));
      deepEqual(
        services.map(({ metadata }) => metadata.name),
        ['spire-server-internal'],
      );
      equal(at(services[0], `spec.ports.name=${String(at(monitor, 'spec.endpoints.0.port'))}.port`), port);
      const agents = manifests.get('PodMonitor', 'spire-agent');
      ok(selects(at(agents, 'spec.selector.matchLabels'), manifests.get('DaemonSet', 'spire-agent')), 'PodMonitor');
      equal(agents.metadata.namespace, AGENT_NAMESPACE);
    },
    mutations: [
      reconfigured('spire-server', 'telemetry', undefined),
      withoutManifest('ServiceMonitor', 'spire-server'),
      changed('ServiceMonitor', 'spire-server', 'spec.endpoints.0.port', 'http'),
      without('Service', 'spire-server-internal', 'metadata.labels'),
      changed('PodMonitor', 'spire-agent', 'spec.selector.matchLabels', { app: 'agent' }),
    ],
  },
  {
    id: 'spire-13, alerts',
    what: 'alerts look at metrics that SPIRE has, of the servers and agents of this release, and say what to do',
    assert: (manifests) => {
      const alerts = listAt(manifests.get('PrometheusRule', 'spire'), 'spec.groups.0.rules');
      const used = new Set(alerts.flatMap((alert) => metricsOf(String(at(alert, 'expr')))));
      deepEqual([...used].sort(), [...ALERT_METRICS].sort());
      for (const alert of alerts) {
        const name = String(at(alert, 'alert'));
        match(String(at(alert, 'expr')), /namespace="spire(-system)?", (service|container)="spire-/, name);
        ok(['warning', 'critical'].includes(String(at(alert, 'labels.severity'))), name);
        for (const text of ['summary', 'description']) ok(at(alert, `annotations.${text}`), `${name}: ${text}`);
      }
    },
    mutations: [
      withoutManifest('PrometheusRule', 'spire'),
      changed('PrometheusRule', 'spire', 'spec.groups.0.rules.0.expr', 'spire_server_svid_issued_total > 0'),
      without('PrometheusRule', 'spire', 'spec.groups.0.rules.2'),
      without('PrometheusRule', 'spire', 'spec.groups.0.rules.1.labels'),
      without('PrometheusRule', 'spire', 'spec.groups.0.rules.1.annotations.description'),
    ],
  },
  {
    id: 'spire-14',
    what: 'agents reach any server by one name, and each server has a name of its own from its first moment',
    assert: (manifests) => {
      const server = manifests.get('StatefulSet', 'spire-server');
      const service = manifests.get('Service', 'spire-server');
      equal(at(service, 'spec.type'), 'ClusterIP');
      equal(at(service, 'spec.sessionAffinity'), undefined);
      deepEqual(listAt(service, 'spec.ports'), [{ name: 'grpc', port: 8081, targetPort: 'grpc' }]);
      const headless = manifests.get('Service', String(at(server, 'spec.serviceName')));
      equal(at(headless, 'spec.clusterIP'), 'None');
      equal(at(headless, 'spec.publishNotReadyAddresses'), true);
      for (const one of [service, headless]) ok(selects(at(one, 'spec.selector'), server), one.metadata.name);
    },
    mutations: [
      changed('Service', 'spire-server', 'spec.sessionAffinity', 'ClientIP'),
      changed('Service', 'spire-server', 'spec.ports.0.port', 443),
      without('Service', 'spire-server-internal', 'spec.publishNotReadyAddresses'),
      without('Service', 'spire-server-internal', 'spec.clusterIP'),
      changed('Service', 'spire-server', 'spec.selector', { app: 'spire' }),
      changed('StatefulSet', 'spire-server', 'spec.serviceName', 'spire-server-headless'),
    ],
  },
  {
    id: 'spire-39, restricted',
    what: 'every pod of the servers’ namespace satisfies the restricted Pod Security level',
    assert: (manifests) => {
      const theirs = workloads(manifests).filter(({ metadata }) => metadata.namespace === NAMESPACE);
      deepEqual([...new Set(theirs.map(({ kind }) => kind))].sort(), ['Deployment', 'Job', 'StatefulSet']);
      for (const workload of theirs) assertRestricted(at(workload, 'spec.template'));
    },
    mutations: [
      changed('Deployment', 'spire-oidc', `${POD}.volumes.name=spire-agent-socket`, {
        name: 'spire-agent-socket',
        hostPath: { path: '/run' },
      }),
      without('Job', 'spire-test', `${POD}.containers.0.securityContext`),
      changed('StatefulSet', 'spire-server', `${POD}.hostNetwork`, true),
    ],
  },
  {
    id: 'spire-40, objects',
    what: 'every object says what it belongs to and is in one of the two namespaces; none is random or made twice',
    assert: (manifests) => {
      const names = manifests.all.map(({ kind, metadata }) => `${kind} ${String(metadata.namespace)} ${metadata.name}`);
      equal(new Set(names).size, names.length, 'an object is made twice');
      for (const { kind, metadata } of manifests.all) {
        for (const label of LABELS) ok(metadata.labels?.[label], `${kind} ${metadata.name}: ${label}`);
        if (CLUSTER_KINDS.includes(kind)) equal(metadata.namespace, undefined, metadata.name);
        else
          ok([NAMESPACE, AGENT_NAMESPACE].includes(String(metadata.namespace)), `${kind} ${metadata.name}: namespace`);
      }
    },
    mutations: [
      without('Role', 'spire-bundle', ['metadata', 'labels', 'app.kubernetes.io/component']),
      without('Service', 'spire-server', 'metadata.namespace'),
      changed('ClusterRole', 'spire-spire-agent', 'metadata.namespace', NAMESPACE),
      changed('Service', 'spire-server-internal', 'metadata.name', 'spire-server'),
    ],
  },
  {
    id: 'spire-40, rights',
    what: 'no role has a wildcard, and no pod a token that it has no use for',
    assert: (manifests) => {
      const roles = [...manifests.of('Role'), ...manifests.of('ClusterRole')];
      for (const role of roles) ok(!JSON.stringify(role.rules).includes('"*"'), role.metadata.name);
      for (const account of manifests.of('ServiceAccount'))
        equal(account.automountServiceAccountToken, false, account.metadata.name);
      const mounting = workloads(manifests).filter(
        (workload) => at(workload, `${POD}.automountServiceAccountToken`) !== false,
      );
      deepEqual(mounting.map(({ metadata }) => at(metadata.labels, ['app.kubernetes.io/component'])).sort(), [
        'agent',
        'entries',
        'server',
      ]);
    },
    mutations: [
      changed('ClusterRole', 'spire-spire-agent', 'rules.0.verbs', ['*']),
      changed('ServiceAccount', 'spire-oidc', 'automountServiceAccountToken', true),
      without('Deployment', 'spire-oidc', `${POD}.automountServiceAccountToken`),
    ],
  },
  {
    id: 'spire-41',
    what: 'helm test asks every server whether it is ready and the provider whether it names the issuer',
    assert: (manifests) => {
      const job = manifests.get('Job', 'spire-test');
      equal(job.metadata.annotations?.['helm.sh/hook'], 'test');
      match(String(job.metadata.annotations?.['helm.sh/hook-delete-policy']), /before-hook-creation/);
      const asked = listAt(job, `${POD}.containers.name=servers.args`)
        .map(String)
        .filter((arg) => arg.startsWith('http'));
      const wanted = [0, 1, 2].map(
        (index) => `http://spire-server-${index}.spire-server-internal.spire.svc.cluster.local:8080/ready`,
      );
      deepEqual(asked, wanted);
      ok(listAt(job, `${POD}.containers.name=servers.args`).includes('--fail-early'), 'the last answer would decide');
      const [issuer] = listAt(job, `${POD}.containers.name=issuer.args`).map(String);
      match(
        String(issuer),
        /--cacert \S+ https:\/\/spire-oidc\.spire\.svc\.cluster\.local\/\.well-known\/openid-configuration /,
      );
      ok(
        String(issuer).includes(`"issuer": "${String(at(configuration(manifests, 'spire-oidc'), 'jwt_issuer'))}"`),
        'issuer',
      );
      notEqual(manifests.find('NetworkPolicy', 'spire-test'), undefined);
    },
    mutations: [
      without('Job', 'spire-test', 'metadata.annotations'),
      changed('Job', 'spire-test', `${POD}.containers.name=servers.args`, (args: unknown) =>
        (args as string[]).slice(0, -1),
      ),
      without('Job', 'spire-test', `${POD}.containers.name=issuer`),
      reconfigured('spire-oidc', 'jwt_issuer', 'https://elsewhere.neural-hive.local'),
    ],
  },
];

/** The dev profile: one server, nothing to install first. */
export const DEV_RULES: readonly Rule[] = [
  {
    id: 'spire-dev',
    what: 'one server keeps its database and its keys on its own claim, and needs no Secret',
    assert: (manifests) => {
      equal(manifests.at('StatefulSet', 'spire-server', 'spec.replicas'), 1);
      equal(
        manifests.find('PodDisruptionBudget', 'spire-server'),
        undefined,
        'a budget of one would forbid every drain',
      );
      equal(manifests.at('StatefulSet', 'spire-server', `${POD}.containers.0.env`), undefined);
      deepEqual(manifests.of('NetworkPolicy'), []);
      equal(at(configuration(manifests, 'spire-oidc'), 'insecure_addr'), ':8080');
      equal(manifests.at('Service', 'spire-oidc', 'spec.ports.0.port'), 80);
    },
    mutations: [
      changed('StatefulSet', 'spire-server', 'spec.replicas', 3),
      changed('Service', 'spire-oidc', 'spec.ports.0.port', 443),
      reconfigured('spire-oidc', 'insecure_addr', undefined),
    ],
  },
];

/** Servers and agents alone, in one namespace. */
export const BARE_RULES: readonly Rule[] = [
  {
    id: 'spire-bare',
    what: 'what is turned off is not made, and the rest finds itself in one namespace',
    assert: (manifests) => {
      deepEqual(
        workloads(manifests)
          .map(({ metadata }) => metadata.name)
          .sort(),
        ['spire-agent', 'spire-server'],
      );
      for (const kind of ['Namespace', 'CSIDriver', 'Ingress', 'ServiceMonitor', 'PrometheusRule', 'Certificate']) {
        deepEqual(manifests.of(kind), [], kind);
      }
      equal(manifests.get('ConfigMap', 'spire-bundle').metadata.namespace, NAMESPACE);
      const clusters = at(
        configuration(manifests, 'spire-server'),
        'plugins.NodeAttestor.k8s_psat.plugin_data.clusters',
      );
      deepEqual(at(clusters, 'neural-hive.service_account_allow_list'), [`${NAMESPACE}:spire-agent`]);
    },
    mutations: [
      changed('DaemonSet', 'spire-agent', 'metadata.name', 'agent'),
      changed('ConfigMap', 'spire-bundle', 'metadata.namespace', AGENT_NAMESPACE),
      changed('StatefulSet', 'spire-server', 'kind', 'Ingress'),
    ],
  },
];
