import { messageOf, sleep, systemClock } from '@neural-hive/security/common';
import {
  type DeploymentHistory,
  previousOf,
  type UndoneDeployment,
  withDeployed,
  withoutDeployed,
} from '../../domain/deployment-history.ts';
import { TicketFailure } from '../../domain/failure.ts';
import { rolloutOf } from '../../domain/rollout.ts';
import { type AllowedDeployment, isAllowedImage, type KubernetesAllowList } from './allow-list.ts';
import {
  type DeploymentObject,
  deploymentOf,
  historyOf,
  newestToken,
  parseDeployment,
  rolloutFacts,
} from './deployment-object.ts';
import type { KubernetesClient } from './kubernetes-client.ts';

export interface ImageDeployRequest {
  /** A name of the allow-list. */
  readonly target: string;
  readonly image: string;
  readonly ticketId: string;
  readonly fencing: number;
  /** Of the whole rollout. In milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export type ImageUndoRequest = Omit<ImageDeployRequest, 'image'>;

const MANAGER = 'neural-hive-worker';
const POLL_MS = 500;
const CONFLICTS = 10;
const CONFLICT_PAUSE_MS = 50;
const RESTORE_LIMIT_MS = 20_000;

/**
 * Deployments of a cluster. Each change is a server-side apply upon the version that was read, so of two attempts that
 * race one reads again; and an attempt with a smaller fencing token than the newest that was seen is refused, however late
 * it comes.
 */
export class KubernetesDeployments {
  readonly #client: KubernetesClient;
  readonly #allowed: KubernetesAllowList['deployments'];

  constructor(client: KubernetesClient, allowed: KubernetesAllowList['deployments']) {
    this.#client = client;
    this.#allowed = allowed;
  }

  /**
   * Makes the image current and waits until the rollout is through. A rollout that fails is taken back. Answers the image
   * that was current before, if there was one.
   */
  async deploy(request: ImageDeployRequest): Promise<{ previous: string | undefined; name: string }> {
    const { target, image, ticketId: ticket, signal } = request;
    const allowed = this.#allowedTarget(target);
    if (!isAllowedImage(allowed, image)) {
      throw new TicketFailure('parameters', 'parameters.image: is not on the list of images for this target');
    }
    const untilMs = systemClock.monotonicMs() + request.timeoutMs;
    let previous: string | undefined;
    await this.#change(allowed, request, (history) => {
      previous = previousOf(history, ticket);
      return withDeployed(history, { ticket, image });
    });
    try {
      await this.#rolledOut(allowed, request, untilMs);
    } catch (error) {
      throw await this.#takenBack(allowed, request, signal.aborted ? signal.reason : error);
    }
    return { previous, name: nameOf(allowed) };
  }

  /** Makes the image before current again, if the one that is undone still is. Repeating it changes nothing. */
  async undo(request: ImageUndoRequest): Promise<UndoneDeployment> {
    const allowed = this.#allowedTarget(request.target);
    const untilMs = systemClock.monotonicMs() + request.timeoutMs;
    const done = await this.#takeBack(allowed, request);
    await this.#rolledOut(allowed, request, untilMs);
    return done;
  }

  #allowedTarget(target: string): AllowedDeployment {
    const allowed = Object.hasOwn(this.#allowed, target) ? this.#allowed[target] : undefined;
    if (allowed !== undefined) return allowed;
    throw new TicketFailure('parameters', 'parameters.target: is not on the list of Deployments');
  }

  async #read(allowed: AllowedDeployment, signal: AbortSignal): Promise<DeploymentObject | undefined> {
    const what = `Reading the Deployment ${nameOf(allowed)}`;
    const object = await this.#client.get(pathOf(allowed), what, signal);
    return object === undefined ? undefined : parseDeployment(object, what);
  }

  async #change(
    allowed: AllowedDeployment,
    { fencing, signal }: Pick<ImageDeployRequest, 'fencing' | 'signal'>,
    /** Undefined: nothing is to be changed. */
    next: (history: DeploymentHistory) => DeploymentHistory | undefined,
  ): Promise<void> {
    for (let round = 0; round < CONFLICTS; round += 1) {
      // The controller writes its own part of the object all through a rollout.
      if (round > 0) await sleep(round * CONFLICT_PAUSE_MS, { signal });
      const current = await this.#read(allowed, signal);
      assertNewest(current, fencing);
      const before = current === undefined ? [] : historyOf(current, allowed.container);
      const history = next(before);
      if (history === undefined || (history.length === 0 && current === undefined)) return;
      if (current !== undefined && (await this.#own(allowed, current, signal))) continue;
      const object = deploymentOf(allowed, { history, fencing, current });
      if (await this.#write(allowed, object, current, signal)) return;
    }
    throw new TicketFailure(
      'backend',
      `The Deployment ${nameOf(allowed)} is being changed by somebody else all the time`,
    );
  }

  async #takeBack(
    allowed: AllowedDeployment,
    request: Pick<ImageUndoRequest, 'ticketId' | 'fencing' | 'signal'>,
  ): Promise<UndoneDeployment> {
    let done: UndoneDeployment = 'already';
    await this.#change(allowed, request, (before) => {
      const undone = withoutDeployed(before, request.ticketId);
      done = undone.done;
      return done === 'already' ? undefined : undone.history;
    });
    return done;
  }

  /** False when somebody else was faster. */
  async #write(
    allowed: AllowedDeployment,
    object: object,
    current: DeploymentObject | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const what = `Applying the Deployment ${nameOf(allowed)}`;
    // An apply cannot say that there must be nothing yet; a creation can.
    const answer =
      current === undefined
        ? await this.#client.call({
            method: 'POST',
            path: `${collectionOf(allowed)}?fieldManager=${MANAGER}&fieldValidation=Strict`,
            body: object,
            what,
            signal,
          })
        : await this.#client.call({
            method: 'PATCH',
            path: `${pathOf(allowed)}?fieldManager=${MANAGER}&force=true&fieldValidation=Strict`,
            body: object,
            contentType: 'application/apply-patch+yaml',
            what,
            signal,
          });
    if (answer.status === 409 || (answer.status === 404 && current !== undefined)) return false;
    if (answer.status === 404) throw new TicketFailure('backend', `${what}: there is no such namespace`);
    return true;
  }

  /**
   * What we created belongs to an `Update` of ours, which no apply would let go. So it is made an `Apply` before the first
   * one, as kubectl does for what it once managed from the client. False when there was nothing to do.
   */
  async #own(allowed: AllowedDeployment, { metadata }: DeploymentObject, signal: AbortSignal): Promise<boolean> {
    const { managedFields, resourceVersion } = metadata;
    const isOurs = ({ manager, operation, subresource }: (typeof managedFields)[number]): boolean =>
      manager === MANAGER && operation === 'Update' && subresource === undefined;
    if (!managedFields.some(isOurs)) return false;
    const value = managedFields.map((entry) => (isOurs(entry) ? { ...entry, operation: 'Apply' } : entry));
    await this.#client.call({
      method: 'PATCH',
      path: `${pathOf(allowed)}?fieldManager=${MANAGER}`,
      contentType: 'application/json-patch+json',
      body: [
        { op: 'replace', path: '/metadata/managedFields', value },
        { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion },
      ],
      what: `Owning the Deployment ${nameOf(allowed)}`,
      signal,
    });
    return true;
  }

  async #rolledOut(
    allowed: AllowedDeployment,
    { fencing, signal, timeoutMs }: Pick<ImageDeployRequest, 'fencing' | 'signal' | 'timeoutMs'>,
    untilMs: number,
  ): Promise<void> {
    for (;;) {
      const current = await this.#read(allowed, signal);
      if (current === undefined) return;
      assertNewest(current, fencing);
      const rollout = rolloutOf(rolloutFacts(current));
      if (rollout.state === 'done') return;
      if (rollout.state === 'failed') throw new TicketFailure('execution', `The rollout failed: ${rollout.why}`);
      if (systemClock.monotonicMs() >= untilMs) {
        throw new TicketFailure('timeout', `The rollout did not end within ${timeoutMs} ms: ${rollout.why}`);
      }
      await sleep(POLL_MS, { signal });
    }
  }

  /** Whoever has the ticket now does with it what is to be done: only what is ours is taken back. */
  async #takenBack(allowed: AllowedDeployment, request: ImageDeployRequest, error: unknown): Promise<unknown> {
    const { ticketId, fencing } = request;
    if (!(error instanceof TicketFailure) || error.code === 'fenced') return error;
    const signal = AbortSignal.timeout(RESTORE_LIMIT_MS);
    try {
      await this.#takeBack(allowed, { ticketId, fencing, signal });
      return error;
    } catch (failed) {
      const why = `${error.message}; it could not be taken back: ${messageOf(failed)}`;
      return new TicketFailure(error.code, why, { cause: error });
    }
  }
}

function assertNewest(current: DeploymentObject | undefined, fencing: number): void {
  if (current === undefined || newestToken(current) <= fencing) return;
  throw new TicketFailure('fenced', 'A newer attempt has changed this target already');
}

function nameOf({ manifest: { metadata } }: AllowedDeployment): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function collectionOf({ manifest: { metadata } }: AllowedDeployment): string {
  return `/apis/apps/v1/namespaces/${metadata.namespace}/deployments`;
}

function pathOf(allowed: AllowedDeployment): string {
  return `${collectionOf(allowed)}/${allowed.manifest.metadata.name}`;
}
