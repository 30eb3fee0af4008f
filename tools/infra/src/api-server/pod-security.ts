import { equal, match } from 'node:assert/strict';
import { at, listAt, type Manifest, type Manifests } from '../manifests.ts';
import { point } from '../point.ts';
import type { Stage } from './stage.ts';
import type { Subject } from './subjects.ts';

const TEMPLATES = ['spec.template', 'spec.jobTemplate.spec.template'];

/** A pod of the template, on its own. */
function podOf(manifest: Manifest): { readonly namespace: string; readonly pod: Manifest } | undefined {
  const template = TEMPLATES.map((path) => at(manifest, path)).find((found) => found !== undefined);
  const claims = listAt(manifest, 'spec.volumeClaimTemplates').map((claim) => String(at(claim, 'metadata.name')));
  if (template === undefined) return undefined;
  const { metadata, spec } = template as { metadata?: object; spec: object };
  const volumes = claims.map((name) => ({ name, persistentVolumeClaim: { claimName: name } }));
  const namespace = manifest.metadata.namespace ?? 'default';
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata, name: `tried-${manifest.metadata.name}`, namespace },
    spec: { restartPolicy: 'Always', ...spec, volumes: [...listAt(spec, 'volumes'), ...volumes] },
  };
  return { namespace, pod };
}

/** With one thing more than `restricted` allows. */
function escalating(pod: Manifest): object {
  const spec = pod.spec as { containers: readonly object[] };
  const containers = spec.containers.map((container) => ({
    ...container,
    securityContext: { ...(at(container, 'securityContext') as object), allowPrivilegeEscalation: true },
  }));
  return { ...pod, spec: { ...spec, containers } };
}

/** What admission says to every pod of the chart, its hooks included. */
export async function judgePodSecurity(stage: Stage, subject: Subject, manifests: Manifests): Promise<void> {
  const { cluster, report } = stage;
  const say = (namespace: string, body: object) =>
    cluster.api.call(`/api/v1/namespaces/${namespace}/pods?dryRun=All&fieldValidation=Strict`, { body });
  for (const manifest of manifests.all) {
    const found = podOf(manifest);
    if (found === undefined) continue;
    const { namespace, pod } = found;
    const name = `${subject.name}: ${manifest.kind} ${manifest.metadata.name}`;
    const isPrivileged = subject.privileged.includes(namespace);
    await point(report, `${name}: its namespace enforces ${isPrivileged ? 'privileged' : 'restricted'}`, async () => {
      const { json } = await cluster.api.call(`/api/v1/namespaces/${namespace}`);
      const level = at(json, ['metadata', 'labels', 'pod-security.kubernetes.io/enforce']);
      equal(level, isPrivileged ? 'privileged' : 'restricted');
    });
    await point(report, `${name}: its pod is admitted`, async () => {
      const { status, text } = await say(namespace, pod);
      equal(status, 201, text);
    });
    await point(report, `${name}: one that asks for more is refused where restricted is enforced`, async () => {
      const elsewhere = { ...pod, metadata: { ...pod.metadata, namespace: 'vault' } };
      // There are no such accounts there, and admission would stop at that.
      const asDefault = { ...elsewhere, spec: { ...(pod.spec as object), serviceAccountName: 'default' } };
      const { status, text } = isPrivileged ? await say('vault', asDefault) : await say(namespace, escalating(pod));
      equal(status, 403, text);
      match(text, /violates PodSecurity \\"restricted:latest\\"/);
      match(text, isPrivileged ? /hostPath/ : /allowPrivilegeEscalation != false/);
    });
  }
}
