import { deepEqual, ok } from 'node:assert/strict';
import { at, listAt, type Manifest, type Manifests } from '../manifests.ts';
import { changed, type Mutation, rewritten, without } from '../mutation.ts';
import { blocksOf, type HclBlock, type HclBody, parseHcl } from './hcl.ts';

/** Where things are in the objects of the chart, as its release `vault` in the namespace `vault` renders them. */
export const POD = 'spec.template.spec';
export const VAULT = `${POD}.containers.name=vault`;
export const JOB_POD = 'spec.jobTemplate.spec.template.spec';

export function serverSet(manifests: Manifests): Manifest {
  return manifests.get('StatefulSet', 'vault');
}

/** The value at a path of the container that runs Vault. */
export function ofVault(manifests: Manifests, path: string): unknown {
  return at(serverSet(manifests), `${VAULT}.${path}`);
}

export function serverConfig(manifests: Manifests): HclBody {
  const text = manifests.at('ConfigMap', 'vault-config', ['data', 'vault.hcl']);
  ok(typeof text === 'string', 'ConfigMap vault-config has no vault.hcl');
  return parseHcl(text);
}

/** The one block of the configuration with this type and label. */
export function configBlock(manifests: Manifests, type: string, label?: string): HclBlock {
  const [block] = blocksOf(serverConfig(manifests), type, label);
  ok(block !== undefined, `vault.hcl has no ${type} ${label ?? ''}`.trim());
  return block;
}

/** The listener on a port. */
export function listener(manifests: Manifests, port: number): HclBlock {
  const found = blocksOf(serverConfig(manifests), 'listener', 'tcp').find(
    ({ body }) => body.attributes.address === `[::]:${port}`,
  );
  ok(found !== undefined, `vault.hcl has no listener on [::]:${port}`);
  return found;
}

/** Environment variables of a container: their value, or the field of the pod they take it from. */
export function environment(container: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(
    listAt(container, 'env').map((variable) => [
      String(at(variable, 'name')),
      String(at(variable, 'value') ?? at(variable, 'valueFrom.fieldRef.fieldPath') ?? at(variable, 'valueFrom')),
    ]),
  );
}

/** The pods that the chart makes, with their spec and the object they come from. */
export function podSpecs(manifests: Manifests): readonly { readonly owner: Manifest; readonly spec: unknown }[] {
  return manifests.all.flatMap((owner) => {
    const spec = at(owner, owner.kind === 'CronJob' ? JOB_POD : POD);
    return spec === undefined || !Array.isArray(at(spec, 'containers')) ? [] : [{ owner, spec }];
  });
}

export function hasLabels(labels: unknown, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([name, value]) => at(labels, [name]) === value);
}

export const SERVER_LABELS = {
  'app.kubernetes.io/name': 'vault',
  'app.kubernetes.io/instance': 'vault',
  'app.kubernetes.io/component': 'server',
};

/** The selector takes exactly the pods of the servers. */
export function assertSelectsServers(selector: unknown): void {
  deepEqual(at(selector, 'matchLabels'), SERVER_LABELS);
}

export function inConfig(pattern: RegExp, by: string): Mutation {
  return rewritten('ConfigMap', 'vault-config', ['data', 'vault.hcl'], pattern, by);
}

export function withoutOfSet(path: string): Mutation {
  return without('StatefulSet', 'vault', path);
}

export function changedOfSet(path: string, to: unknown | ((old: unknown) => unknown)): Mutation {
  return changed('StatefulSet', 'vault', path, to);
}

export function seconds(duration: unknown): number {
  const match = /^(\d+)(s|m|h)$/.exec(String(duration));
  return match === null ? Number.NaN : Number(match[1]) * { s: 1, m: 60, h: 3_600 }[match[2] as 's' | 'm' | 'h'];
}

const FACTORS: Readonly<Record<string, number>> = {
  '': 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};

/** The number of a Kubernetes quantity. */
export function quantity(value: unknown): number {
  const match = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(String(value));
  return match === null ? Number.NaN : Number(match[1]) * (FACTORS[match[2] ?? ''] ?? Number.NaN);
}
