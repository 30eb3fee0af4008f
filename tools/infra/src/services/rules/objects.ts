import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { at, listAt } from '../../manifests.ts';
import { changed, together, without, withoutManifest } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { CONTAINER, environmentOf, ofDeployment, POD } from '../pods.ts';
import type { ServiceName } from '../service-charts.ts';

/** Name of the port and of the variable that says its number. */
const PORTS: Readonly<Record<ServiceName, Readonly<Record<string, string>>>> = {
  'orchestrator-dynamic': { https: 'HTTP_PORT', metrics: 'METRICS_PORT' },
  'worker-agents': { metrics: 'METRICS_PORT' },
  'service-registry': { grpc: 'GRPC_PORT', metrics: 'METRICS_PORT' },
};

/** What holds for the objects around the pods of every service. */
export function objectRules(name: ServiceName): readonly Rule[] {
  const pod = ofDeployment(name);
  return [
    {
      id: `${name}-service`,
      what: 'the service has the ports that the process listens on, under their names, for its pods only',
      assert: (manifests) => {
        const environment = environmentOf(manifests.at('Deployment', name, CONTAINER));
        const wanted = Object.entries(PORTS[name]).map(([port, variable]) => [port, Number(environment[variable])]);
        const service = manifests.get('Service', name);
        const ports = (list: readonly unknown[], field: string): unknown[] =>
          list.map((port) => [at(port, 'name'), at(port, field)]);
        deepEqual(ports(listAt(service, 'spec.ports'), 'port'), wanted);
        deepEqual(ports(listAt(manifests.get('Deployment', name), `${CONTAINER}.ports`), 'containerPort'), wanted);
        for (const port of listAt(service, 'spec.ports')) equal(at(port, 'targetPort'), at(port, 'name'));
        deepEqual(at(service, 'spec.selector'), manifests.at('Deployment', name, 'spec.selector.matchLabels'));
      },
      mutations: [
        withoutManifest('Service', name),
        without('Service', name, 'spec.ports.name=metrics'),
        changed('Service', name, 'spec.selector', { app: name }),
        pod.changed(`${CONTAINER}.env.name=METRICS_PORT.value`, '9999'),
        pod.without(`${CONTAINER}.ports`),
      ],
    },
    {
      id: `${name}-monitor`,
      what: 'Prometheus scrapes every pod at /metrics',
      assert: (manifests) => {
        const monitor = manifests.get('ServiceMonitor', name);
        const labels = manifests.get('Service', name).metadata.labels ?? {};
        for (const [label, value] of Object.entries(at(monitor, 'spec.selector.matchLabels') as object)) {
          equal(labels[label], value, label);
        }
        deepEqual(
          listAt(monitor, 'spec.endpoints').map((one) => [at(one, 'port'), at(one, 'path')]),
          [['metrics', '/metrics']],
        );
        deepEqual(at(monitor, 'spec.namespaceSelector.matchNames'), [monitor.metadata.namespace]);
      },
      mutations: [
        withoutManifest('ServiceMonitor', name),
        changed('ServiceMonitor', name, 'spec.endpoints.0.path', '/'),
        changed('ServiceMonitor', name, 'spec.endpoints.0.port', 'https'),
        changed('ServiceMonitor', name, 'spec.selector.matchLabels', { app: name }),
      ],
    },
    {
      id: `${name}-test`,
      what: 'helm test asks the service whether it is ready, as a Job that ends',
      assert: (manifests) => {
        const job = manifests.get('Job', `${name}-test`);
        equal(job.metadata.annotations?.['helm.sh/hook'], 'test');
        match(String(at(job, `${POD}.containers.0.args.2`)), new RegExp(`http://${name}:\\d+/ready`));
        ok(Number(at(job, 'spec.activeDeadlineSeconds')) > 0);
      },
      mutations: [
        withoutManifest('Job', `${name}-test`),
        without('Job', `${name}-test`, 'metadata.annotations'),
        without('Job', `${name}-test`, 'spec.activeDeadlineSeconds'),
      ],
    },
    {
      id: `${name}-image`,
      what: 'the image has a tag that means one build',
      assert: (manifests) => {
        const image = String(manifests.at('Deployment', name, `${CONTAINER}.image`));
        match(image, new RegExp(`^neural-hive/${name}:[0-9]`));
      },
      mutations: [pod.changed(`${CONTAINER}.image`, `neural-hive/${name}:latest`), pod.without(`${CONTAINER}.image`)],
    },
  ];
}

/** Of the two services that there are several of. */
export function scalingRules(name: ServiceName): readonly Rule[] {
  const pod = ofDeployment(name);
  return [
    {
      id: `${name}-scaling`,
      what: 'load decides how many pods there are, three at least, and the deployment does not argue',
      assert: (manifests) => {
        const scaler = manifests.get('HorizontalPodAutoscaler', name);
        equal(manifests.at('Deployment', name, 'spec.replicas'), undefined);
        deepEqual(at(scaler, 'spec.scaleTargetRef'), { apiVersion: 'apps/v1', kind: 'Deployment', name });
        ok(Number(at(scaler, 'spec.minReplicas')) >= 3);
        ok(Number(at(scaler, 'spec.maxReplicas')) > Number(at(scaler, 'spec.minReplicas')));
        equal(at(scaler, 'spec.metrics.0.resource.target.averageUtilization'), 70);
        ok(Number(at(scaler, 'spec.behavior.scaleDown.stabilizationWindowSeconds')) >= 300);
      },
      mutations: [
        withoutManifest('HorizontalPodAutoscaler', name),
        pod.changed('spec.replicas', 3),
        changed('HorizontalPodAutoscaler', name, 'spec.scaleTargetRef.name', 'other'),
        changed('HorizontalPodAutoscaler', name, 'spec.minReplicas', 1),
        without('HorizontalPodAutoscaler', name, 'spec.behavior'),
      ],
    },
    {
      id: `${name}-rollout`,
      what: 'a rollout takes no pod away before its successor is ready, and an eviction one at a time',
      assert: (manifests) => {
        deepEqual(manifests.at('Deployment', name, 'spec.strategy'), {
          ...{ type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
        });
        const budget = manifests.get('PodDisruptionBudget', name);
        equal(at(budget, 'spec.maxUnavailable'), 1);
        equal(at(budget, 'spec.unhealthyPodEvictionPolicy'), 'AlwaysAllow');
        deepEqual(at(budget, 'spec.selector'), manifests.at('Deployment', name, 'spec.selector'));
      },
      mutations: [
        pod.changed('spec.strategy.rollingUpdate.maxUnavailable', 1),
        withoutManifest('PodDisruptionBudget', name),
        changed('PodDisruptionBudget', name, 'spec.maxUnavailable', 2),
        without('PodDisruptionBudget', name, 'spec.unhealthyPodEvictionPolicy'),
        changed('PodDisruptionBudget', name, 'spec.selector.matchLabels', { app: name }),
      ],
    },
  ];
}

/** Of the registry, which is one process with a journal. */
export function singleRules(name: ServiceName): readonly Rule[] {
  const pod = ofDeployment(name);
  return [
    {
      id: `${name}-single`,
      what: 'there is never a second process, and the journal outlives the pod and the release',
      assert: (manifests) => {
        equal(manifests.at('Deployment', name, 'spec.replicas'), 1);
        deepEqual(manifests.at('Deployment', name, 'spec.strategy'), { type: 'Recreate' });
        equal(manifests.find('HorizontalPodAutoscaler', name), undefined);
        const folder = manifests.at('Deployment', name, `${CONTAINER}.volumeMounts.name=data.mountPath`);
        const { REGISTRY_JOURNAL_FILE = '' } = environmentOf(manifests.at('Deployment', name, CONTAINER));
        ok(REGISTRY_JOURNAL_FILE.startsWith(`${folder}/`), REGISTRY_JOURNAL_FILE);
        const claim = manifests.at('Deployment', name, `${POD}.volumes.name=data.persistentVolumeClaim.claimName`);
        const stored = manifests.get('PersistentVolumeClaim', String(claim));
        equal(stored.metadata.annotations?.['helm.sh/resource-policy'], 'keep');
      },
      mutations: [
        pod.changed('spec.replicas', 2),
        pod.changed('spec.strategy', { type: 'RollingUpdate' }),
        pod.without(`${CONTAINER}.volumeMounts.name=data`),
        pod.changed(`${POD}.volumes.name=data`, { name: 'data', emptyDir: {} }),
        withoutManifest('PersistentVolumeClaim', name),
        without('PersistentVolumeClaim', name, 'metadata.annotations'),
        together('the journal elsewhere', pod.changed(`${CONTAINER}.env.name=REGISTRY_JOURNAL_FILE.value`, '/tmp/j')),
      ],
    },
  ];
}
