import type { ExecutionTicket } from '@neural-hive/contracts';
import type { z } from 'zod';
import { TicketFailure } from '../domain/failure.ts';

/** Reads a ticket's parameters. Throws a `TicketFailure` that names every problem and no value. */
export function readParameters<Schema extends z.ZodType>(schema: Schema, ticket: ExecutionTicket): z.output<Schema> {
  const { sensitive: _, ...parameters } = ticket.parameters;
  const parsed = schema.safeParse(parameters);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `parameters.${path.join('.')}: ${message}`);
  throw new TicketFailure('parameters', problems.join('; ').slice(0, 2_000));
}

const DIGEST = /^[0-9a-f]{64}$/;

/** The digest that is named, or that a dependency came to. */
export function artifactOf(
  ticket: ExecutionTicket,
  { artifact, artifact_from: task }: { artifact?: string | undefined; artifact_from?: string | undefined },
): string | undefined {
  if (artifact === undefined && task === undefined) return undefined;
  if (artifact !== undefined && task !== undefined) {
    throw new TicketFailure('parameters', 'parameters: artifact and artifact_from exclude each other');
  }
  const digest = artifact ?? ticket.metadata[`dependency.${task}.artifact`];
  if (digest === undefined) {
    throw new TicketFailure('parameters', 'parameters.artifact_from: this dependency came to no artifact');
  }
  if (!DIGEST.test(digest)) throw new TicketFailure('parameters', 'artifact: must be a SHA-256 digest in hexadecimal');
  return digest;
}
