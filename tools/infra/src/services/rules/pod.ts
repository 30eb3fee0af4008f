import { deepEqual, equal, ok } from 'node:assert/strict';
import { WORKLOADS } from '@neural-hive/contracts';
import { at, listAt, under } from '../../manifests.ts';
import { changed, withManifest, without } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { restrictedProblems } from '../pod-security.ts';
import { CONTAINER, ofDeployment, POD, podSpecs } from '../pods.ts';
import type { ServiceName } from '../service-charts.ts';

const PROBES = {
  startupProbe: { path: '/health', seconds: 300 },
  livenessProbe: { path: '/health', seconds: 120 },
  readinessProbe: { path: '/ready', seconds: 10 },
} as const;

const probeSeconds = (probe: unknown): number =>
  Number(at(probe, 'periodSeconds')) * Number(at(probe, 'failureThreshold'));

/** What holds for the pods of every service. */
export function podRules(name: ServiceName): readonly Rule[] {
  const pod = ofDeployment(name);
  const { namespace } = WORKLOADS[name];
  const bare = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'stray', namespace: 'default' } };
  return [
    {
      id: `${name}-restricted`,
      what: 'every pod is admitted by a namespace that enforces restricted, and writes to its volumes only',
      assert: (manifests) => {
        for (const { owner, spec } of podSpecs(manifests)) {
          deepEqual(restrictedProblems(spec), [], `${owner.kind} ${owner.metadata.name}`);
          for (const container of listAt(spec, 'containers')) {
            equal(at(container, 'securityContext.readOnlyRootFilesystem'), true, owner.metadata.name);
          }
        }
      },
      mutations: [
        pod.changed(`${POD}.hostNetwork`, true),
        pod.without(`${POD}.securityContext.runAsNonRoot`),
        pod.without(`${POD}.securityContext.seccompProfile`),
        pod.without(`${CONTAINER}.securityContext.capabilities`),
        pod.without(`${CONTAINER}.securityContext.allowPrivilegeEscalation`),
        pod.without(`${CONTAINER}.securityContext.readOnlyRootFilesystem`),
        pod.changed(`${POD}.volumes.name=tmp`, { name: 'tmp', hostPath: { path: '/tmp' } }),
        without('Job', `${name}-test`, `${POD}.containers.0.securityContext.capabilities`),
      ],
    },
    {
      id: `${name}-account`,
      what: 'the service runs as the account its identity is made of, the migration as its own, none with a token for the API',
      assert: (manifests) => {
        equal(manifests.at('ServiceAccount', name, 'automountServiceAccountToken'), false);
        equal(WORKLOADS[name].serviceAccount, name);
        for (const { owner, spec } of podSpecs(manifests)) {
          const migrates = owner.metadata.name.startsWith(`${name}-migrate-`);
          equal(at(spec, 'serviceAccountName'), migrates ? 'schema-migrator' : name, owner.metadata.name);
          equal(at(spec, 'automountServiceAccountToken'), false, owner.metadata.name);
        }
      },
      mutations: [
        pod.changed(`${POD}.serviceAccountName`, 'default'),
        pod.without(`${POD}.automountServiceAccountToken`),
        changed('ServiceAccount', name, 'automountServiceAccountToken', true),
      ],
    },
    {
      id: `${name}-namespace`,
      what: 'every object is in the namespace that the identity is made of, with the usual labels',
      assert: (manifests) => {
        for (const { kind, metadata } of manifests.all) {
          equal(metadata.namespace, namespace, `${kind} ${metadata.name}`);
          equal(metadata.labels?.['app.kubernetes.io/name'], name, `${kind} ${metadata.name}`);
          equal(metadata.labels?.['app.kubernetes.io/part-of'], 'neural-hive', `${kind} ${metadata.name}`);
          ok(metadata.labels?.['helm.sh/chart']?.startsWith(`${name}-`), `${kind} ${metadata.name}`);
        }
      },
      mutations: [
        withManifest(bare),
        without('Deployment', name, under('metadata.labels', 'app.kubernetes.io/part-of')),
        changed('Service', name, 'metadata.namespace', 'default'),
      ],
    },
    {
      id: `${name}-probes`,
      what: 'a pod has minutes to start, is ready when it says so, and is killed only when it hangs',
      assert: (manifests) => {
        for (const [probe, { path, seconds }] of Object.entries(PROBES)) {
          const found = manifests.at('Deployment', name, `${CONTAINER}.${probe}`);
          deepEqual(at(found, 'httpGet'), { path, port: 'metrics' }, probe);
          ok(probeSeconds(found) === seconds, `${probe}: ${probeSeconds(found)} s`);
        }
      },
      mutations: [
        pod.without(`${CONTAINER}.startupProbe`),
        pod.changed(`${CONTAINER}.livenessProbe.httpGet.path`, '/ready'),
        pod.changed(`${CONTAINER}.readinessProbe.httpGet.path`, '/health'),
        pod.changed(`${CONTAINER}.livenessProbe.failureThreshold`, 1),
      ],
    },
    {
      id: `${name}-end`,
      what: 'a pod gets no new calls before it is told to end, and is given the time to close',
      assert: (manifests) => {
        const sleep = Number(manifests.at('Deployment', name, `${CONTAINER}.lifecycle.preStop.sleep.seconds`));
        const grace = Number(manifests.at('Deployment', name, `${POD}.terminationGracePeriodSeconds`));
        ok(sleep >= 5, `sleep ${sleep}`);
        // A service closes within 8 s, or is ended.
        ok(grace >= sleep + 10, `grace ${grace}`);
      },
      mutations: [pod.without(`${CONTAINER}.lifecycle`), pod.changed(`${POD}.terminationGracePeriodSeconds`, 10)],
    },
    {
      id: `${name}-resources`,
      what: 'every container asks for what it needs and is bounded in memory, not in CPU',
      assert: (manifests) => {
        for (const { owner, spec } of podSpecs(manifests)) {
          for (const container of listAt(spec, 'containers')) {
            for (const path of ['requests.cpu', 'requests.memory', 'limits.memory']) {
              ok(at(container, `resources.${path}`) !== undefined, `${owner.metadata.name}: ${path}`);
            }
            equal(at(container, 'resources.limits.cpu'), undefined, owner.metadata.name);
          }
        }
      },
      mutations: [
        pod.without(`${CONTAINER}.resources.limits.memory`),
        pod.without(`${CONTAINER}.resources.requests.cpu`),
        pod.changed(`${CONTAINER}.resources.limits.cpu`, '1'),
      ],
    },
    {
      id: `${name}-spread`,
      what: 'pods are spread over zones, and over nodes where that can be',
      assert: (manifests) => {
        const spread = listAt(manifests.get('Deployment', name), `${POD}.topologySpreadConstraints`);
        const actions = spread.map((one) => [at(one, 'topologyKey'), at(one, 'whenUnsatisfiable'), at(one, 'maxSkew')]);
        deepEqual(actions.sort(), [
          ['kubernetes.io/hostname', 'ScheduleAnyway', 1],
          ['topology.kubernetes.io/zone', 'DoNotSchedule', 1],
        ]);
        const selector = manifests.at('Deployment', name, 'spec.selector.matchLabels');
        for (const one of spread) deepEqual(at(one, 'labelSelector.matchLabels'), selector);
      },
      mutations: [
        pod.without(`${POD}.topologySpreadConstraints`),
        pod.without(`${POD}.topologySpreadConstraints.0`),
        pod.changed(`${POD}.topologySpreadConstraints.1.whenUnsatisfiable`, 'ScheduleAnyway'),
        pod.without(
          under(`${POD}.topologySpreadConstraints.0.labelSelector.matchLabels`, 'app.kubernetes.io/component'),
        ),
      ],
    },
  ];
}
