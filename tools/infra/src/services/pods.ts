import { at, listAt, type Manifest, type Manifests, type Path } from '../manifests.ts';
import { changed, type Mutation, without } from '../mutation.ts';

/** The pod template of a workload, whatever its kind. */
export const TEMPLATES: Readonly<Record<string, string>> = {
  Deployment: 'spec.template',
  Job: 'spec.template',
  CronJob: 'spec.jobTemplate.spec.template',
};

export interface PodSpec {
  readonly owner: Manifest;
  readonly template: unknown;
  readonly spec: unknown;
}

/** Every pod that the chart makes. */
export function podSpecs(manifests: Manifests): readonly PodSpec[] {
  return Object.entries(TEMPLATES).flatMap(([kind, path]) =>
    manifests.of(kind).map((owner) => ({ owner, template: at(owner, path), spec: at(owner, `${path}.spec`) })),
  );
}

export const POD = 'spec.template.spec';
export const CONTAINER = `${POD}.containers.name=service`;

/** The environment of a container as text; variables from fields are written `fieldRef:<path>`. */
export function environmentOf(container: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(
    listAt(container, 'env').map((variable) => {
      const field = at(variable, 'valueFrom.fieldRef.fieldPath');
      return [String(at(variable, 'name')), field === undefined ? String(at(variable, 'value')) : `fieldRef:${field}`];
    }),
  );
}

/** Mutations of the one Deployment of a service's chart. */
export function ofDeployment(name: string): {
  readonly without: (path: Path) => Mutation;
  readonly changed: (path: Path, to: unknown) => Mutation;
} {
  return {
    without: (path) => without('Deployment', name, path),
    changed: (path, to) => changed('Deployment', name, path, to),
  };
}
