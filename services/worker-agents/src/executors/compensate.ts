import { z } from 'zod';
import type { ReleaseStore } from '../adapters/filesystem/release-store.ts';
import type { KubernetesDeployments } from '../adapters/kubernetes/kubernetes-deployments.ts';
import type { Executed } from '../domain/execution-result.ts';
import type { Execution, Executor } from '../domain/executor.ts';
import { TicketFailure } from '../domain/failure.ts';
import { type ExecuteOptions, undoExecution } from './execute.ts';

export interface CompensateOptions extends ExecuteOptions {
  readonly releases: ReleaseStore;
  /** The cluster's Deployments. Default: none. */
  readonly deployments?: KubernetesDeployments | undefined;
}

const built = z.object({ artifact: z.string() });
const deployed = z.object({ target: z.string(), release: z.string() });
const deployedImage = z.object({ target: z.string(), image: z.string() });
const executed = z.object({ undo: z.string() });

/**
 * COMPENSATE: undoes a BUILD (its artifact goes, unless a release or another build needs it) or a DEPLOY (the release
 * before is current again, unless another was deployed since); doing that twice changes nothing. An EXECUTE is undone by
 * what the allow-list has for it. Output: `undone`.
 */
export function compensateExecutor({ releases, deployments, ...options }: CompensateOptions): Executor {
  const { artifacts } = options;
  return {
    type: 'COMPENSATE',
    async execute(execution) {
      const undone = execution.ticket.compensates;
      if (undone?.task_type === 'BUILD') return undoBuild(execution, undone);
      if (undone?.task_type === 'DEPLOY') {
        return undone.output.image === undefined ? undoDeploy(execution, undone) : undoImage(execution, undone);
      }
      if (undone?.task_type === 'EXECUTE') {
        const program = await undoExecution(options, execution, outputOf(executed, undone).undo);
        return { output: { undone: undone.ticket_id, program } };
      }
      throw new TicketFailure('parameters', 'compensates: only BUILD, DEPLOY and EXECUTE can be undone');
    },
  };

  async function undoBuild({ signal }: Execution, undone: Undone): Promise<Executed> {
    const { artifact } = outputOf(built, undone);
    const isUsed = (digest: string): Promise<boolean> => releases.uses(digest);
    const done = await artifacts.undo(artifact, undone.ticket_id, { signal, isUsed });
    return { output: { undone: undone.ticket_id, artifact: done }, logs: [`artifact ${artifact}: ${done}`] };
  }

  async function undoImage({ fencing, timeoutMs, signal }: Execution, undone: Undone): Promise<Executed> {
    const { target } = outputOf(deployedImage, undone);
    if (deployments === undefined) throw new TicketFailure('parameters', 'This worker deploys to no cluster');
    const { ticket_id: ticketId } = undone;
    const done = await deployments.undo({ target, ticketId, fencing, timeoutMs, signal });
    return {
      output: { undone: ticketId, target, release: done },
      logs: [`${target}: ${undone.output.image}: ${done}`],
    };
  }

  async function undoDeploy({ fencing, signal }: Execution, undone: Undone): Promise<Executed> {
    const { target, release } = outputOf(deployed, undone);
    const done = await releases.undo({ target, release, ticketId: undone.ticket_id, fencing, signal });
    return {
      output: { undone: undone.ticket_id, target, release: done },
      logs: [`${target}: ${release}: ${done}`],
    };
  }
}

type Undone = NonNullable<Execution['ticket']['compensates']>;

function outputOf<Schema extends z.ZodType>(schema: Schema, { output }: Undone): z.output<Schema> {
  const parsed = schema.safeParse(output);
  if (parsed.success) return parsed.data;
  throw new TicketFailure('parameters', 'compensates.output: does not say what is to be undone');
}
