import { createHash } from 'node:crypto';
import type { ErrorClass } from '@neural-hive/contracts';
import { messageOf, sleep } from '@neural-hive/security/common';
import { AttemptError } from '../../attempts/attempt-error.ts';
import { filledArguments } from '../../attempts/program-catalogue.ts';
import { TicketFailure } from '../../domain/failure.ts';
import type { AllowedJob, KubernetesAllowList } from './allow-list.ts';
import {
  endOf,
  JOB_ANNOTATIONS,
  JOB_CONTAINER,
  type JobObject,
  type JobPod,
  jobOf,
  jobToken,
  parseJob,
  podOf,
} from './job-object.ts';
import type { KubernetesClient } from './kubernetes-client.ts';

export interface JobRequest {
  /** A name of the allow-list. */
  readonly job: string;
  readonly values: Readonly<Record<string, string>>;
  readonly ticketId: string;
  /** How often the ticket was tried before: each try has a job of its own. */
  readonly retryCount: number;
  readonly fencing: number;
  /** In milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface FinishedJob {
  /** `<namespace>/<name>` */
  readonly name: string;
  readonly exitCode: number | undefined;
  /** The end of what the pod said; undefined when nobody can say any more. */
  readonly stdout: string | undefined;
}

const POLL_MS = 500;
const LOG_LINES = 200;
const LOG_BYTES = 65_536;
const CLEAN_UP_LIMIT_MS = 10_000;
const UNWANTED: ReadonlySet<ErrorClass> = new Set<ErrorClass>(['cancelled', 'timeout', 'backend']);

/**
 * Jobs of a cluster. A job's name derives from its ticket and try, so a worker that takes over the ticket of one that died
 * goes on with the job that runs, or reads the end of the one that ended, and none runs twice.
 */
export class KubernetesJobs {
  readonly #client: KubernetesClient;
  readonly #allowed: KubernetesAllowList['jobs'];

  constructor(client: KubernetesClient, allowed: KubernetesAllowList['jobs']) {
    this.#client = client;
    this.#allowed = allowed;
  }

  /** The job that undoes this one, if there is one. */
  undoOf(job: string): string | undefined {
    return this.#allowedJob(job).undo;
  }

  /** Whether the job undoes another. */
  isUndo(job: string): boolean {
    return Object.values(this.#allowed).some(({ undo }) => undo === job);
  }

  /** Resolves when the job has succeeded. Throws a `TicketFailure`. */
  async run(request: JobRequest): Promise<FinishedJob> {
    const allowed = this.#allowedJob(request.job);
    const args = argumentsOf(request, allowed);
    const name = nameOf(request);
    const place = { path: `${collectionOf(allowed)}/${name}`, full: `${allowed.namespace}/${name}` };
    try {
      await this.#begin(allowed, jobOf(allowed, { ...request, name, args }), place, request);
      const end = await this.#ended(place, request);
      const { pod, stdout } = await this.#lastWords(allowed, name, request.signal);
      if (end === 'too_late') {
        throw new TicketFailure('timeout', `The job did not end within ${request.timeoutMs} ms`, said(stdout));
      }
      if (end === 'failed') {
        const how = `exit code ${pod?.exitCode ?? 'unknown'}${pod?.reason === undefined ? '' : `, ${pod.reason}`}`;
        throw new TicketFailure('execution', `The job failed (${how})`, said(stdout));
      }
      return { name: place.full, exitCode: pod?.exitCode, stdout };
    } catch (error) {
      const why: unknown = request.signal.aborted ? request.signal.reason : error;
      await this.#end(place, request.fencing, why);
      throw why;
    }
  }

  #allowedJob(job: string): AllowedJob {
    const allowed = Object.hasOwn(this.#allowed, job) ? this.#allowed[job] : undefined;
    if (allowed !== undefined) return allowed;
    throw new TicketFailure('parameters', 'parameters.job: is not on the list of jobs');
  }

  async #read({ path, full }: Place, signal: AbortSignal): Promise<JobObject | undefined> {
    const what = `Reading the Job ${full}`;
    const object = await this.#client.get(path, what, signal);
    return object === undefined ? undefined : parseJob(object, what);
  }

  /** Creates the job, or takes it over from the attempt before. */
  async #begin(allowed: AllowedJob, object: object, place: Place, { fencing, signal }: JobRequest): Promise<void> {
    for (;;) {
      const current = await this.#read(place, signal);
      if (current === undefined) {
        const what = `Creating the Job ${place.full}`;
        const path = `${collectionOf(allowed)}?fieldValidation=Strict`;
        const { status } = await this.#client.call({ method: 'POST', path, body: object, what, signal });
        if (status === 404) throw new TicketFailure('backend', `${what}: there is no such namespace`);
        if (status !== 409) return;
      } else if (jobToken(current) > fencing) {
        throw new TicketFailure('fenced', 'A newer attempt has this job');
      } else if (current.metadata.deletionTimestamp === undefined) {
        if (jobToken(current) === fencing || (await this.#takeOver(current, place, { fencing, signal }))) return;
      }
      await sleep(POLL_MS, { signal });
    }
  }

  async #takeOver(
    { metadata: { resourceVersion } }: JobObject,
    { path, full }: Place,
    { fencing, signal }: Pick<JobRequest, 'fencing' | 'signal'>,
  ): Promise<boolean> {
    const { status } = await this.#client.call({
      method: 'PATCH',
      path,
      contentType: 'application/merge-patch+json',
      body: { metadata: { resourceVersion, annotations: { [JOB_ANNOTATIONS.fencing]: String(fencing) } } },
      what: `Taking over the Job ${full}`,
      signal,
    });
    return status < 400;
  }

  async #ended(place: Place, { fencing, signal }: JobRequest): Promise<NonNullable<ReturnType<typeof endOf>>> {
    for (;;) {
      const current = await this.#read(place, signal);
      if (current === undefined) throw new TicketFailure('crash', 'The job was deleted by somebody else');
      if (jobToken(current) > fencing) throw new TicketFailure('fenced', 'A newer attempt has this job');
      const end = endOf(current);
      if (end !== undefined) return end;
      await sleep(POLL_MS, { signal });
    }
  }

  /** The end of a job stands by its conditions; how its pod put it may be gone with the node. */
  async #lastWords(
    { namespace }: AllowedJob,
    name: string,
    signal: AbortSignal,
  ): Promise<{ pod: JobPod | undefined; stdout: string | undefined }> {
    const pods = `/api/v1/namespaces/${namespace}/pods`;
    const selector = encodeURIComponent(`batch.kubernetes.io/job-name=${name}`);
    const what = `Reading what the Job ${namespace}/${name} said`;
    const pod = podOf(await this.#client.get(`${pods}?labelSelector=${selector}`, what, signal));
    if (pod === undefined) return { pod, stdout: undefined };
    const query = `container=${JOB_CONTAINER}&tailLines=${LOG_LINES}&limitBytes=${LOG_BYTES}`;
    try {
      const answer = await this.#client.call({ path: `${pods}/${pod.name}/log?${query}`, what, signal });
      return { pod, stdout: answer.status === 200 ? answer.text : undefined };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof TicketFailure) return { pod, stdout: undefined };
      throw error;
    }
  }

  /**
   * Ends a job that nobody wants any more. One that came to an end stays, so that whoever takes over the ticket reads it;
   * one whose ticket was lost goes on, and so does whoever has the ticket.
   */
  async #end(place: Place, fencing: number, why: unknown): Promise<void> {
    if (!(why instanceof TicketFailure) || !UNWANTED.has(why.code)) return;
    const signal = AbortSignal.timeout(CLEAN_UP_LIMIT_MS);
    const what = `Ending the Job ${place.full}`;
    try {
      for (;;) {
        const current = await this.#read(place, signal);
        if (current === undefined || jobToken(current) !== fencing || endOf(current) !== undefined) return;
        const { uid, resourceVersion } = current.metadata;
        const body = { propagationPolicy: 'Background', preconditions: { uid, resourceVersion } };
        const { status } = await this.#client.call({ method: 'DELETE', path: place.path, body, what, signal });
        if (status < 400) return;
      }
    } catch (error) {
      throw new TicketFailure(why.code, `${why.message}; the job goes on: ${messageOf(error)}`, { cause: error });
    }
  }
}

interface Place {
  readonly path: string;
  readonly full: string;
}

function argumentsOf({ job, values }: JobRequest, allowed: AllowedJob): string[] {
  try {
    return filledArguments(job, allowed, values);
  } catch (error) {
    if (error instanceof AttemptError) throw new TicketFailure('parameters', error.message, { cause: error });
    throw error;
  }
}

function nameOf({ job, ticketId, retryCount }: JobRequest): string {
  const digest = createHash('sha256').update(`${ticketId}\n${retryCount}\n${job}`).digest('hex');
  return `hive-${digest.slice(0, 32)}`;
}

function collectionOf({ namespace }: AllowedJob): string {
  return `/apis/batch/v1/namespaces/${namespace}/jobs`;
}

function said(stdout: string | undefined): { logs: readonly string[] } {
  return { logs: stdout?.split('\n').filter((line) => line !== '') ?? [] };
}
