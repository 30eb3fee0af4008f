import { z } from 'zod';
import { TicketFailure } from '../../domain/failure.ts';
import type { AllowedJob } from './allow-list.ts';

const PREFIX = 'neural-hive.local';
export const JOB_ANNOTATIONS = { fencing: `${PREFIX}/fencing-token`, ticket: `${PREFIX}/ticket` };
export const JOB_CONTAINER = 'main';

/** A finished job stays as long as a worker may have to read its end again. */
const KEPT_SECONDS = 3_600;

const job = z.object({
  metadata: z.object({
    uid: z.string(),
    resourceVersion: z.string(),
    deletionTimestamp: z.string().optional(),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  status: z
    .object({
      conditions: z
        .array(z.object({ type: z.string(), status: z.string(), reason: z.string().optional() }))
        .default([]),
    })
    .prefault({}),
});
export type JobObject = z.output<typeof job>;

export function parseJob(object: unknown, what: string): JobObject {
  const parsed = job.safeParse(object);
  if (parsed.success) return parsed.data;
  throw new TicketFailure('backend', `${what}: the API server answered with what is no Job`);
}

export function jobToken({ metadata: { annotations } }: JobObject): number {
  return Number(annotations[JOB_ANNOTATIONS.fencing] ?? 0);
}

export type JobEnd = 'complete' | 'too_late' | 'failed';

/** How the job ended; undefined while it runs. */
export function endOf({ status: { conditions } }: JobObject): JobEnd | undefined {
  const found = conditions.find(({ type, status }) => status === 'True' && (type === 'Complete' || type === 'Failed'));
  if (found === undefined) return undefined;
  if (found.type === 'Complete') return 'complete';
  return found.reason === 'DeadlineExceeded' ? 'too_late' : 'failed';
}

const pods = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      status: z
        .object({
          containerStatuses: z
            .array(
              z.object({
                name: z.string(),
                state: z
                  .object({
                    terminated: z.object({ exitCode: z.int(), reason: z.string().optional() }).optional(),
                  })
                  .default({}),
              }),
            )
            .default([]),
        })
        .prefault({}),
    }),
  ),
});

export interface JobPod {
  readonly name: string;
  readonly exitCode: number | undefined;
  /** Such as `OOMKilled`. */
  readonly reason: string | undefined;
}

/** The pod of a job that has one. */
export function podOf(list: unknown): JobPod | undefined {
  const pod = pods.safeParse(list).data?.items.at(-1);
  if (pod === undefined) return undefined;
  const ended = pod.status.containerStatuses.find(({ name }) => name === JOB_CONTAINER)?.state.terminated;
  return { name: pod.metadata.name, exitCode: ended?.exitCode, reason: ended?.reason };
}

export interface WantedJob {
  readonly name: string;
  readonly args: readonly string[];
  readonly ticketId: string;
  readonly fencing: number;
  readonly timeoutMs: number;
}

/** One pod, once, restricted as Pod Security has it, that Kubernetes itself ends when its time is up. */
export function jobOf(allowed: AllowedJob, { name, args, ticketId, fencing, timeoutMs }: WantedJob): object {
  const { limits, command, env } = allowed;
  const resources = { cpu: limits.cpu, memory: limits.memory, 'ephemeral-storage': limits.ephemeral_storage };
  const labels = { 'app.kubernetes.io/managed-by': 'neural-hive-worker' };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name,
      namespace: allowed.namespace,
      labels,
      annotations: { [JOB_ANNOTATIONS.fencing]: String(fencing), [JOB_ANNOTATIONS.ticket]: ticketId },
    },
    spec: {
      // Whether it is tried again is the orchestrator's to say.
      backoffLimit: 0,
      activeDeadlineSeconds: Math.max(1, Math.ceil(timeoutMs / 1_000)),
      ttlSecondsAfterFinished: KEPT_SECONDS,
      template: {
        metadata: { labels },
        spec: {
          restartPolicy: 'Never',
          serviceAccountName: allowed.service_account,
          automountServiceAccountToken: allowed.mount_token,
          enableServiceLinks: false,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: allowed.run_as_user,
            runAsGroup: allowed.run_as_user,
            fsGroup: allowed.run_as_user,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          containers: [
            {
              name: JOB_CONTAINER,
              image: allowed.image,
              args,
              ...(command !== undefined && { command }),
              env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
              resources: { requests: resources, limits: resources },
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
              volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
            },
          ],
          volumes: [{ name: 'tmp', emptyDir: { sizeLimit: limits.ephemeral_storage } }],
        },
      },
    },
  };
}
