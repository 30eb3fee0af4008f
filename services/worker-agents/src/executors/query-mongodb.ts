import { messageOf, Secret } from '@neural-hive/security/common';
import { BSON, type Document, MongoClient, MongoServerError } from 'mongodb';
import { z } from 'zod';
import type { Execution } from '../domain/executor.ts';
import { TicketFailure } from '../domain/failure.ts';
import { QueryRows } from './query-rows.ts';

const { EJSON } = BSON;

/** Extended JSON, so that a ticket can say dates and object ids. */
const document = z
  .string()
  .max(65_536)
  .transform((text, context): Document => {
    try {
      const value: unknown = EJSON.parse(text);
      if (typeof value === 'object' && value !== null) return value;
    } catch {}
    context.addIssue({ code: 'custom', message: 'must be a JSON object' });
    return z.NEVER;
  });

/** `filter`, `projection` and `sort` make a `find`, `pipeline` an `aggregate`. */
export const mongodbQueryParameters = z
  .strictObject({
    collection: z.string().regex(/^(?!system\.)[^$\0]{1,120}$/, 'must be the name of a collection'),
    filter: document.optional(),
    projection: document.optional(),
    sort: document.optional(),
    pipeline: document.pipe(z.array(z.record(z.string(), z.unknown())).max(50)).optional(),
  })
  .superRefine(({ filter, projection, sort, pipeline }, context) => {
    const simple = filter ?? projection ?? sort;
    if (simple !== undefined && pipeline !== undefined) {
      context.addIssue({ code: 'custom', path: ['pipeline'], message: 'excludes filter, projection and sort' });
    }
    const forbidden = forbiddenIn([simple, filter, projection, sort, pipeline]);
    if (forbidden !== undefined) {
      context.addIssue({ code: 'custom', message: `${forbidden} writes, or runs a program in the server` });
    }
  });
export type MongodbQueryParameters = z.output<typeof mongodbQueryParameters>;

/** The role refuses what writes as well; a program in the server costs it computing that no limit of ours holds. */
const FORBIDDEN = new Set(['$out', '$merge', '$where', '$function', '$accumulator']);

function forbiddenIn(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [name, inner] of Object.entries(value)) {
    const found = FORBIDDEN.has(name) ? name : forbiddenIn(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What `worker/execution/query` holds for MongoDB: a user who may read and nothing else. */
const login = z.object({ mongodb_username: z.string().min(1), mongodb_password: z.string().min(1) });

export type MongodbQuery = (wanted: MongodbQueryParameters, execution: Execution) => Promise<Record<string, string>>;

/**
 * Answers one `find` or `aggregate` on a connection that lives as long as the ticket, under the login that Vault holds for
 * QUERY. Throws a `TicketFailure`.
 * @throws RangeError for an address with a login in it, or without a database
 */
export function mongodbQuery(uri: string): MongodbQuery {
  const { username, pathname } = new URL(uri.replace(/^mongodb(\+srv)?:/, 'http:').replace(/,[^/]*/, ''));
  if (username !== '') throw new RangeError('mongodbUri: the login comes from Vault');
  if (pathname.length < 2) throw new RangeError('mongodbUri: must name the database that tickets may read');
  return async (wanted, execution) => {
    const { signal, timeoutMs, settings } = execution;
    const auth = await readLogin(execution);
    const client = new MongoClient(uri, {
      auth: { username: auth.username, password: auth.password.reveal() },
      appName: 'worker-query',
      maxPoolSize: 1,
      retryReads: false,
      serverSelectionTimeoutMS: Math.min(timeoutMs, 10_000),
    });
    // Ends what waits for the server too.
    const abort = (): void => void client.close().catch(() => undefined);
    signal.throwIfAborted();
    signal.addEventListener('abort', abort, { once: true });
    try {
      await client.connect();
      await assertReadOnly(client);
      const rows = new QueryRows(settings);
      for await (const row of cursorOf(client, wanted, timeoutMs)) {
        if (!rows.add(EJSON.stringify(row))) break;
      }
      return rows.output();
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof TicketFailure ? error : failureOfQuery(error);
    } finally {
      signal.removeEventListener('abort', abort);
      await client.close().catch(() => undefined);
    }
  };
}

function cursorOf(client: MongoClient, wanted: MongodbQueryParameters, maxTimeMS: number): AsyncIterable<Document> {
  const { collection: name, filter = {}, projection, sort, pipeline } = wanted;
  const collection = client.db().collection(name);
  if (pipeline !== undefined) return collection.aggregate(pipeline, { maxTimeMS });
  return collection.find(filter, { maxTimeMS, ...(projection && { projection }), ...(sort && { sort }) });
}

async function readLogin({ credentials }: Execution): Promise<{ username: string; password: Secret<string> }> {
  const read = login.safeParse((await credentials()).reveal());
  if (!read.success) {
    throw new TicketFailure('backend', 'Vault holds no mongodb_username and mongodb_password for QUERY');
  }
  return { username: read.data.mongodb_username, password: new Secret(read.data.mongodb_password) };
}

/** What no reader needs. The list is short: whoever may write has one of these. */
const WRITING = new Set([
  'insert',
  'update',
  'remove',
  'createCollection',
  'dropCollection',
  'dropDatabase',
  'anyAction',
]);

const connectionStatus = z.object({
  authInfo: z.object({
    authenticatedUserPrivileges: z.array(z.object({ actions: z.array(z.string()) })).optional(),
  }),
});

/** Read-only is enforced by the role: a login whose server says that it may write is not used. */
async function assertReadOnly(client: MongoClient): Promise<void> {
  const said = connectionStatus.safeParse(
    await client.db('admin').command({ connectionStatus: 1, showPrivileges: true }),
  );
  const privileges = said.data?.authInfo.authenticatedUserPrivileges ?? [];
  if (mayWrite(privileges)) {
    throw new TicketFailure('backend', 'The login that Vault holds for QUERY may write: it must only read');
  }
}

export function mayWrite(privileges: readonly { readonly actions: readonly string[] }[]): boolean {
  return privileges.some(({ actions }) => actions.some((action) => WRITING.has(action)));
}

const MAX_TIME_EXPIRED = 50;
/** BadValue, FailedToParse, Unauthorized, TypeMismatch, InvalidNamespace. From 10 000 on: what the parser refuses. */
const FINAL = new Set([2, 9, 13, 14, 73]);

function failureOfQuery(error: unknown): TicketFailure {
  const code = error instanceof MongoServerError ? Number(error.code ?? 0) : 0;
  if (code === MAX_TIME_EXPIRED) return new TicketFailure('timeout', 'The query took too long', { cause: error });
  if (FINAL.has(code) || code >= 10_000) {
    return new TicketFailure('parameters', `The database refused the query (${code})`, { cause: error });
  }
  const what = code === 0 ? messageOf(error) : String(code);
  return new TicketFailure('backend', `The database could not answer (${what})`, { cause: error });
}
