import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict';
import { AUDIENCES } from '@neural-hive/contracts';
import { at, listAt, type Manifests, under } from '../../manifests.ts';
import { changed, without } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import {
  changedOfSet,
  environment,
  inConfig,
  ofVault,
  POD,
  podSpecs,
  serverConfig,
  serverSet,
  VAULT,
  withoutOfSet,
} from '../server-pod.ts';

const POD_CONTEXT = {
  runAsNonRoot: true,
  runAsUser: 100,
  runAsGroup: 1000,
  fsGroup: 1000,
  fsGroupChangePolicy: 'OnRootMismatch',
  seccompProfile: { type: 'RuntimeDefault' },
};
const CONTAINER_CONTEXT = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};

/** Every container of every pod, with the names of the object and of the container. */
function containers(manifests: Manifests): { readonly name: string; readonly container: unknown }[] {
  return podSpecs(manifests).flatMap(({ owner, spec }) =>
    [...listAt(spec, 'containers'), ...listAt(spec, 'initContainers')].map((container) => ({
      name: `${owner.kind} ${owner.metadata.name}, container ${String(at(container, 'name'))}`,
      container,
    })),
  );
}

/** The pods that may have the token of their service account, which speaks to the API server. */
const WITH_API_TOKEN = ['StatefulSet vault', 'Deployment vault-injector'];

/** Points 13 to 16, and what Pod Security calls restricted for every pod of the chart. */
export const SECURITY_RULES: readonly Rule[] = [
  {
    id: 'vault-13',
    what: 'every pod runs as the image’s user with no privilege and nothing writable but its volumes',
    assert: (manifests) => {
      const pods = podSpecs(manifests);
      ok(pods.length >= 6, `only ${pods.length} pods`);
      for (const { owner, spec } of pods) {
        deepEqual(at(spec, 'securityContext'), POD_CONTEXT, `${owner.kind} ${owner.metadata.name}`);
        for (const volume of listAt(spec, 'volumes')) equal(at(volume, 'hostPath'), undefined, 'hostPath');
        for (const field of ['hostNetwork', 'hostPID', 'hostIPC']) notEqual(at(spec, field), true, field);
      }
      for (const { name, container } of containers(manifests)) {
        deepEqual(at(container, 'securityContext'), CONTAINER_CONTEXT, name);
      }
      for (const path of ['/tmp', '/home/vault']) {
        const mount = listAt(serverSet(manifests), `${VAULT}.volumeMounts`).find(
          (one) => at(one, 'mountPath') === path,
        );
        const volume = at(serverSet(manifests), `${POD}.volumes.name=${String(at(mount, 'name'))}`);
        ok(at(volume, 'emptyDir') !== undefined, `${path} is not writable`);
      }
      equal(environment(at(serverSet(manifests), VAULT)).HOME, '/home/vault');
    },
    mutations: [
      withoutOfSet(`${POD}.securityContext.seccompProfile`),
      changedOfSet(`${POD}.securityContext.runAsUser`, 0),
      withoutOfSet(`${VAULT}.securityContext.capabilities`),
      withoutOfSet(`${POD}.containers.name=audit-shipper.securityContext`),
      changedOfSet(`${VAULT}.securityContext.readOnlyRootFilesystem`, false),
      withoutOfSet(`${VAULT}.volumeMounts.name=tmp`),
      changedOfSet(`${POD}.hostNetwork`, true),
      changedOfSet(`${POD}.volumes.name=tmp`, { name: 'tmp', hostPath: { path: '/tmp' } }),
      without('Deployment', 'vault-injector', `${POD}.securityContext`),
      without('CronJob', 'vault-snapshot', 'spec.jobTemplate.spec.template.spec.containers.0.securityContext'),
      without('Job', 'vault-test-status', `${POD}.containers.0.securityContext.allowPrivilegeEscalation`),
    ],
  },
  {
    id: 'vault-14',
    what: 'memory is not locked, which is said, and no capability for it is asked',
    assert: (manifests) => {
      equal(serverConfig(manifests).attributes.disable_mlock, true);
      equal(ofVault(manifests, 'securityContext.capabilities.add'), undefined);
      // The image's entry point would try setcap.
      deepEqual(ofVault(manifests, 'command'), ['vault']);
    },
    mutations: [
      inConfig(/disable_mlock = true/, ''),
      inConfig(/disable_mlock = true/, 'disable_mlock = false'),
      changedOfSet(`${VAULT}.securityContext.capabilities.add`, ['IPC_LOCK']),
      withoutOfSet(`${VAULT}.command`),
    ],
  },
  {
    id: 'vault-15',
    what: 'only the servers and the injector have the token that speaks to the API server',
    assert: (manifests) => {
      for (const account of manifests.of('ServiceAccount')) {
        equal(at(account, 'automountServiceAccountToken'), false, account.metadata.name);
      }
      for (const { owner, spec } of podSpecs(manifests)) {
        const name = `${owner.kind} ${owner.metadata.name}`;
        equal(at(spec, 'automountServiceAccountToken'), WITH_API_TOKEN.includes(name), name);
      }
      const token = at(
        manifests.get('CronJob', 'vault-snapshot'),
        'spec.jobTemplate.spec.template.spec.volumes.name=vault-token',
      );
      equal(at(token, 'projected.sources.0.serviceAccountToken.audience'), AUDIENCES.vault);
    },
    mutations: [
      without('ServiceAccount', 'vault-server', 'automountServiceAccountToken'),
      withoutOfSet(`${POD}.automountServiceAccountToken`),
      changed('CronJob', 'vault-snapshot', 'spec.jobTemplate.spec.template.spec.automountServiceAccountToken', true),
      without('CronJob', 'vault-snapshot', 'spec.jobTemplate.spec.template.spec.volumes.name=vault-token.projected'),
      without('Job', 'vault-test-status', `${POD}.automountServiceAccountToken`),
    ],
  },
  {
    id: 'vault-16',
    what: 'every image is pinned by a version and pulled only where it is not there',
    assert: (manifests) => {
      const found = containers(manifests);
      ok(found.length >= 8, `only ${found.length} containers`);
      for (const { name, container } of found) {
        match(String(at(container, 'image')), /^[a-z0-9./-]+:v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?$/, name);
        equal(at(container, 'imagePullPolicy'), 'IfNotPresent', name);
      }
    },
    mutations: [
      changedOfSet(`${VAULT}.image`, 'hashicorp/vault:latest'),
      changedOfSet(`${VAULT}.image`, 'hashicorp/vault'),
      withoutOfSet(`${VAULT}.imagePullPolicy`),
      changed('Deployment', 'vault-injector', `${POD}.containers.name=injector.image`, 'hashicorp/vault-k8s:1'),
    ],
  },
];

/** With every image named by its digest, and pull secrets. */
export const IMAGE_RULES: readonly Rule[] = [
  {
    id: 'vault-16-digest',
    what: 'a digest and pull secrets that are given are used',
    assert: (manifests) => {
      match(String(ofVault(manifests, 'image')), /^registry\.example\/vault:1\.21\.4@sha256:0{64}$/);
      for (const { owner, spec } of podSpecs(manifests)) {
        deepEqual(at(spec, 'imagePullSecrets'), [{ name: 'registry' }], `${owner.kind} ${owner.metadata.name}`);
      }
    },
    mutations: [
      changedOfSet(`${VAULT}.image`, 'registry.example/vault:1.21.4'),
      withoutOfSet(`${POD}.imagePullSecrets`),
      without('Job', 'vault-test-status', `${POD}.imagePullSecrets`),
    ],
  },
];

export const IRSA_ANNOTATION = under('metadata.annotations', 'eks.amazonaws.com/role-arn');
