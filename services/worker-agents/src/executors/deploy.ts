import { z } from 'zod';
import type { ReleaseStore } from '../adapters/filesystem/release-store.ts';
import type { KubernetesDeployments } from '../adapters/kubernetes/kubernetes-deployments.ts';
import type { Executed } from '../domain/execution-result.ts';
import type { Execution, Executor } from '../domain/executor.ts';
import { TicketFailure } from '../domain/failure.ts';
import { artifactOf, readParameters } from './parameters.ts';

export interface DeployOptions {
  readonly releases: ReleaseStore;
  /** The cluster's Deployments. Default: none. */
  readonly deployments?: KubernetesDeployments | undefined;
}

const artifactParameters = z.strictObject({
  target: z.string().min(1),
  artifact: z.string().optional(),
  artifact_from: z.string().optional(),
});
const imageParameters = z.strictObject({ target: z.string().min(1), image: z.string().min(1).max(512) });

/**
 * DEPLOY: makes an artifact the current release of a target, or an image that of a Deployment. Output: `target`; `release`
 * and `artifact`, or `image` and `deployment`; and `previous`, what was current before, empty when nothing was.
 */
export function deployExecutor({ releases, deployments }: DeployOptions): Executor {
  return {
    type: 'DEPLOY',
    execute(execution) {
      return execution.ticket.parameters.image === undefined ? deployArtifact(execution) : deployImage(execution);
    },
  };

  async function deployArtifact({ ticket, fencing, signal }: Execution): Promise<Executed> {
    const { target, ...source } = readParameters(artifactParameters, ticket);
    const artifact = artifactOf(ticket, source);
    if (artifact === undefined) {
      throw new TicketFailure('parameters', 'parameters: one of artifact, artifact_from and image is needed');
    }
    const { ticket_id: ticketId } = ticket;
    const { release, previous } = await releases.deploy({ target, artifact, ticketId, fencing, signal });
    return {
      output: { release, target, artifact, previous: previous ?? '' },
      neededToUndo: ['release', 'target'],
      logs: [`${target}: ${release} is current, ${previous ?? 'nothing'} was before`],
    };
  }

  async function deployImage({ ticket, fencing, timeoutMs, signal }: Execution): Promise<Executed> {
    const { target, image } = readParameters(imageParameters, ticket);
    if (deployments === undefined) throw new TicketFailure('parameters', 'This worker deploys to no cluster');
    const { ticket_id: ticketId } = ticket;
    const { previous, name } = await deployments.deploy({ target, image, ticketId, fencing, timeoutMs, signal });
    return {
      output: { target, image, deployment: name, previous: previous ?? '' },
      neededToUndo: ['target', 'image'],
      logs: [`${name}: ${image} is rolled out, ${previous ?? 'nothing'} was before`],
    };
  }
}
