import { equal, fail, ok } from 'node:assert/strict';
import { at, listAt, type Manifest, type Manifests } from '../../manifests.ts';

export const POD = 'spec.template.spec';

/** The volume that is mounted where the path is, or above it. @throws AssertionError where there is none */
export function volumeAt(workload: Manifest, path: string, container = 0): unknown {
  const mount = mountAt(workload, path, container);
  const name = String(at(mount, 'name'));
  return at(workload, [...POD.split('.'), 'volumes', `name=${name}`]) ?? claimOf(workload, name);
}

export function mountAt(workload: Manifest, path: string, container = 0): unknown {
  const mounts = listAt(workload, `${POD}.containers.${container}.volumeMounts`);
  const found = mounts.find((mount) => `${path}/`.startsWith(`${String(at(mount, 'mountPath'))}/`));
  return found ?? fail(`${workload.kind} ${workload.metadata.name} mounts nothing at ${path}`);
}

function claimOf(workload: Manifest, name: string): unknown {
  const claims = listAt(workload, 'spec.volumeClaimTemplates');
  const claim = claims.find((one) => at(one, 'metadata.name') === name);
  return claim === undefined ? fail(`no volume ${name}`) : { persistentVolumeClaim: claim };
}

/** What the restricted Pod Security level asks for, which an admission plugin would refuse the pod without. */
export function assertRestricted(template: unknown): void {
  equal(at(template, 'spec.securityContext.runAsNonRoot'), true, 'runAsNonRoot');
  equal(at(template, 'spec.securityContext.seccompProfile.type'), 'RuntimeDefault', 'seccompProfile');
  for (const field of ['hostNetwork', 'hostPID', 'hostIPC']) ok(at(template, `spec.${field}`) !== true, field);
  const containers = [...listAt(template, 'spec.initContainers'), ...listAt(template, 'spec.containers')];
  ok(containers.length > 0, 'no container');
  for (const container of containers) assertRestrictedContainer(container);
  const allowed = [
    'configMap',
    'csi',
    'downwardAPI',
    'emptyDir',
    'ephemeral',
    'persistentVolumeClaim',
    'projected',
    'secret',
  ];
  for (const volume of listAt(template, 'spec.volumes')) {
    const kinds = Object.keys(volume as object).filter((key) => key !== 'name');
    for (const kind of kinds) ok(allowed.includes(kind), `volume ${String(at(volume, 'name'))} is a ${kind}`);
  }
}

function assertRestrictedContainer(container: unknown): void {
  const name = String(at(container, 'name'));
  equal(at(container, 'securityContext.allowPrivilegeEscalation'), false, `${name}: allowPrivilegeEscalation`);
  equal(at(container, 'securityContext.readOnlyRootFilesystem'), true, `${name}: readOnlyRootFilesystem`);
  ok(listAt(container, 'securityContext.capabilities.drop').includes('ALL'), `${name}: drop ALL`);
  equal(listAt(container, 'securityContext.capabilities.add').length, 0, `${name}: adds capabilities`);
  ok(at(container, 'securityContext.privileged') !== true, `${name}: privileged`);
}

/** Every object that makes pods. */
export function workloads(manifests: Manifests): readonly Manifest[] {
  return manifests.all.filter(({ kind }) =>
    ['StatefulSet', 'DaemonSet', 'Deployment', 'Job', 'CronJob'].includes(kind),
  );
}

/** Whether all labels of the selector are on the pods of the workload. */
export function selects(selector: unknown, workload: Manifest): boolean {
  const wanted = Object.entries((selector ?? {}) as Record<string, string>);
  return (
    wanted.length > 0 &&
    wanted.every(([key, value]) => at(workload, ['spec', 'template', 'metadata', 'labels', key]) === value)
  );
}
