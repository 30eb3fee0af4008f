import { z } from 'zod';
import type { DeploymentHistory } from '../../domain/deployment-history.ts';
import { TicketFailure } from '../../domain/failure.ts';
import type { RolloutFacts } from '../../domain/rollout.ts';
import type { AllowedDeployment } from './allow-list.ts';

const PREFIX = 'neural-hive.local';
/** The newest token that was seen, what we last made current, and how it came there. */
const ANNOTATIONS = { fencing: `${PREFIX}/fencing-token`, image: `${PREFIX}/image`, history: `${PREFIX}/history` };

const count = z.int().nonnegative().default(0);
const deployment = z.object({
  metadata: z.object({
    resourceVersion: z.string(),
    generation: count,
    annotations: z.record(z.string(), z.string()).default({}),
    managedFields: z.array(z.looseObject({ manager: z.string().optional(), operation: z.string() })).default([]),
  }),
  spec: z.object({
    replicas: z.int().nonnegative().default(1),
    template: z.object({
      spec: z.object({ containers: z.array(z.object({ name: z.string(), image: z.string().default('') })) }),
    }),
  }),
  status: z
    .object({
      observedGeneration: count,
      replicas: count,
      updatedReplicas: count,
      availableReplicas: count,
      conditions: z.array(z.object({ type: z.string(), reason: z.string().optional() })).default([]),
    })
    .prefault({}),
});
export type DeploymentObject = z.output<typeof deployment>;

const history = z.array(z.strictObject({ ticket: z.string(), image: z.string() }));

export function parseDeployment(object: unknown, what: string): DeploymentObject {
  const parsed = deployment.safeParse(object);
  if (parsed.success) return parsed.data;
  throw new TicketFailure('backend', `${what}: the API server answered with what is no Deployment`);
}

export function newestToken({ metadata: { annotations } }: DeploymentObject): number {
  return Number(annotations[ANNOTATIONS.fencing] ?? 0);
}

/** What was current, oldest first. An image that somebody else put there is the newest of it. */
export function historyOf({ metadata: { annotations }, spec }: DeploymentObject, container: string): DeploymentHistory {
  const image = spec.template.spec.containers.find(({ name }) => name === container)?.image;
  const ours = annotations[ANNOTATIONS.image];
  const known = history.safeParse(parseJson(annotations[ANNOTATIONS.history]));
  const before = known.success ? known.data : [];
  return image === undefined || image === ours ? before : [...before, { ticket: '', image }];
}

export function rolloutFacts({ metadata, spec, status }: DeploymentObject): RolloutFacts {
  return {
    generation: metadata.generation,
    observedGeneration: status.observedGeneration,
    wanted: spec.replicas,
    replicas: status.replicas,
    updated: status.updatedReplicas,
    available: status.availableReplicas,
    progressing: status.conditions.find(({ type }) => type === 'Progressing')?.reason,
  };
}

export interface WantedDeployment {
  readonly history: DeploymentHistory;
  readonly fencing: number;
  /** What is there now, if anything. */
  readonly current: DeploymentObject | undefined;
}

/**
 * The operator's manifest with the image that is to be current. When none is, no replica runs; the object stays, since it
 * remembers the newest token.
 */
export function deploymentOf(
  { manifest, container }: AllowedDeployment,
  { history: wanted, fencing, current }: WantedDeployment,
): object {
  const left = current?.spec.template.spec.containers.find(({ name }) => name === container)?.image ?? '';
  const image = wanted.at(-1)?.image ?? left;
  const { metadata, spec } = manifest;
  const containers = spec.template.spec.containers.map((one) => (one.name === container ? { ...one, image } : one));
  return {
    ...manifest,
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      ...metadata,
      annotations: {
        ...metadata.annotations,
        [ANNOTATIONS.fencing]: String(fencing),
        [ANNOTATIONS.image]: image,
        [ANNOTATIONS.history]: JSON.stringify(wanted),
      },
      ...(current !== undefined && { resourceVersion: current.metadata.resourceVersion }),
    },
    spec: {
      ...spec,
      ...(wanted.length === 0 && { replicas: 0 }),
      template: { ...spec.template, spec: { ...spec.template.spec, containers } },
    },
  };
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
