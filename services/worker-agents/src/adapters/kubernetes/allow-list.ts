import { z } from 'zod';
import { programArguments } from '../../attempts/program-catalogue.ts';

const name = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be a DNS label');
const quantity = z.string().regex(/^\d+(\.\d+)?(m|[KMGT]i?)?$/, 'must be a quantity such as 500m or 512Mi');
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** A Deployment as the operator wants it; what else is in it goes to the API server as it is. */
const manifest = z.looseObject({
  metadata: z.looseObject({
    name,
    namespace: name,
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: z.looseObject({
    selector: z.looseObject({}),
    template: z.looseObject({
      spec: z.looseObject({ containers: z.array(z.looseObject({ name, image: z.string().optional() })).min(1) }),
    }),
  }),
});
export type DeploymentManifest = z.output<typeof manifest>;

/** A target of DEPLOY. The ticket says the image; namespace, service account and all else are written here. */
const deployment = z
  .strictObject({
    manifest,
    /** Whose image the ticket says. */
    container: name,
    /** Repositories, with their registry; nothing else may be deployed. */
    images: z
      .array(z.string().regex(/^[a-z0-9][a-z0-9._:/-]*$/, 'must be a repository, without tag and digest'))
      .min(1),
    /** Which tags may stand for an image: an anchored regular expression. Default: none, an image is named by digest. */
    tags: z.string().optional(),
  })
  .superRefine(({ manifest: { spec }, container }, context) => {
    if (spec.template.spec.containers.some((one) => one.name === container)) return;
    context.addIssue({ code: 'custom', path: ['container'], message: 'is not in the manifest' });
  });
export type AllowedDeployment = z.output<typeof deployment>;

/** A job that EXECUTE tickets may name. They give values for its placeholders and nothing else. */
const job = z.strictObject({
  namespace: name,
  service_account: name,
  /** Named by digest. */
  image: z.string().regex(/^[a-z0-9][a-z0-9._:/-]*@sha256:[0-9a-f]{64}$/, 'must be named by digest'),
  /** Default: that of the image. */
  command: z.array(z.string()).optional(),
  ...programArguments,
  /** Whether the pod gets a token of its service account. */
  mount_token: z.boolean().default(false),
  run_as_user: z.int().min(1).default(65_532),
  /** Requested and granted: no more is there. */
  limits: z.strictObject({ cpu: quantity, memory: quantity, ephemeral_storage: quantity.default('1Gi') }),
  /** The job that undoes this one, with the same values. */
  undo: name.optional(),
});
export type AllowedJob = z.output<typeof job>;

/** What tickets may have done in the cluster: names to what is done. */
export const kubernetesAllowList = z
  .strictObject({
    deployments: z.record(name, deployment).default({}),
    jobs: z.record(name, job).default({}),
  })
  .superRefine(({ jobs }, context) => {
    for (const [key, { undo }] of Object.entries(jobs)) {
      if (undo === undefined || Object.hasOwn(jobs, undo)) continue;
      context.addIssue({ code: 'custom', path: ['jobs', key, 'undo'], message: 'must name a job' });
    }
  });
export type KubernetesAllowList = z.output<typeof kubernetesAllowList>;

/** Whether the image may be deployed: of a repository on the list, by digest or by a tag that is allowed. */
export function isAllowedImage({ images, tags }: AllowedDeployment, image: string): boolean {
  return images.some((repository) => {
    if (!image.startsWith(repository)) return false;
    const rest = image.slice(repository.length);
    if (rest.startsWith('@')) return DIGEST.test(rest.slice(1));
    if (tags === undefined || !rest.startsWith(':')) return false;
    const [tag = '', digest] = rest.slice(1).split('@');
    return new RegExp(`^(?:${tags})$`, 'u').test(tag) && (digest === undefined || DIGEST.test(digest));
  });
}
