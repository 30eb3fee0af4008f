import { z } from 'zod';
import type { ReleaseStore } from '../adapters/filesystem/release-store.ts';
import type { Executor } from '../domain/executor.ts';
import { TicketFailure } from '../domain/failure.ts';
import { artifactOf, readParameters } from './parameters.ts';

const parameters = z.strictObject({
  target: z.string().min(1),
  artifact: z.string().optional(),
  artifact_from: z.string().optional(),
});

/**
 * DEPLOY: makes an artifact the current release of a target. Output: `release`, `target`, `artifact` and `previous`, the
 * release that it replaced, empty when there was none.
 */
export function deployExecutor({ releases }: { readonly releases: ReleaseStore }): Executor {
  return {
    type: 'DEPLOY',
    async execute({ ticket, fencing, signal }) {
      const { target, ...source } = readParameters(parameters, ticket);
      const artifact = artifactOf(ticket, source);
      if (artifact === undefined)
        throw new TicketFailure('parameters', 'parameters.artifact: or artifact_from is needed');
      const { release, previous } = await releases.deploy({
        target,
        artifact,
        ticketId: ticket.ticket_id,
        fencing,
        signal,
      });
      return {
        output: { release, target, artifact, previous: previous ?? '' },
        neededToUndo: ['release', 'target'],
        logs: [`${target}: ${release} is current, ${previous ?? 'nothing'} was before`],
      };
    },
  };
}
