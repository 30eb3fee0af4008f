import { z } from 'zod';
import type { Executor } from '../domain/executor.ts';
import { TicketFailure } from '../domain/failure.ts';
import { readParameters } from './parameters.ts';
import { mongodbQuery, mongodbQueryParameters } from './query-mongodb.ts';
import { type PostgresQueryOptions, postgresQuery } from './query-postgres.ts';

export interface QueryOptions extends PostgresQueryOptions {
  /** Of the MongoDB that tickets may read, its database in it and no login. Default: there is none. */
  readonly mongodbUri?: string | undefined;
}

const statementParameters = z.strictObject({ statement: z.string().min(1).max(65_536) });

/**
 * QUERY: a `statement` reads PostgreSQL, a `collection` MongoDB; what may be read is decided by the login's role. Output:
 * `rows` (a JSON array of objects), `row_count` and `truncated`, which says whether a limit cut the rows off.
 * @throws RangeError for a socket folder whose socket has a path over 103 bytes
 */
export function queryExecutor({ mongodbUri, ...postgres }: QueryOptions): Executor {
  const askPostgres = postgresQuery(postgres);
  const askMongodb = mongodbUri === undefined ? undefined : mongodbQuery(mongodbUri);
  return {
    type: 'QUERY',
    async execute(execution) {
      const { ticket } = execution;
      if (ticket.parameters.collection === undefined) {
        const { statement } = readParameters(statementParameters, ticket);
        return { output: await askPostgres(statement, execution) };
      }
      const wanted = readParameters(mongodbQueryParameters, ticket);
      if (askMongodb === undefined) throw new TicketFailure('parameters', 'This worker reads no MongoDB');
      return { output: await askMongodb(wanted, execution) };
    },
  };
}
