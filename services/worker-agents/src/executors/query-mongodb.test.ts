import { Secret } from '@neural-hive/security/common';
import { expect, test } from 'vitest';
import { failureOf, type TicketFailure } from '../domain/failure.ts';
import { executionOf, ticketOf } from '../testing/tickets.ts';
import { queryExecutor } from './query.ts';
import { mayWrite } from './query-mongodb.ts';

const never = () => Promise.reject(new Error('nothing of PostgreSQL is asked for'));
const executorOf = (mongodbUri: string | undefined) =>
  queryExecutor({ lease: never, database: { host: '127.0.0.1', port: 1, database: 'x' }, mongodbUri });
const URI = 'mongodb://127.0.0.1:1/releases?serverSelectionTimeoutMS=200';

async function failure(parameters: Record<string, string>, { uri, login }: { uri?: string; login?: object } = {}) {
  const credentials = async () => new Secret({ mongodb_username: 'u', mongodb_password: 'p', ...login });
  const ticket = ticketOf({ task_type: 'QUERY', parameters });
  const error = await executorOf(uri)
    .execute(executionOf(ticket, { credentials, timeoutMs: 500 }))
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
  expect(error).toBeInstanceOf(Error);
  return failureOf(error) as TicketFailure;
}

test('a server that cannot be reached may be tried again', async () => {
  expect(await failure({ collection: 'a' }, { uri: URI })).toMatchObject({ code: 'backend' });
});

test.each([
  ['a filter that is no JSON', { filter: '{' }],
  ['a filter that is a text', { filter: '"a"' }],
  ['a pipeline that is no list', { pipeline: '{"$match":{}}' }],
  ['a filter beside a pipeline', { filter: '{}', pipeline: '[]' }],
  ['what writes', { pipeline: '[{"$match":{}},{"$out":"b"}]' }],
  ['what writes elsewhere', { pipeline: '[{"$merge":{"into":"b"}}]' }],
  ['a program in the server', { filter: '{"$where":"true"}' }],
  ['a program deep inside', { pipeline: '[{"$group":{"_id":{"a":[{"$function":{}}]}}}]' }],
  ['a collection of the server’s own', { collection: 'system.users' }],
  ['a statement as well', { statement: 'select 1' }],
])('refuses %s for good, and asks nobody', async (_name, change) => {
  expect(await failure({ collection: 'a', ...change }, { uri: URI })).toMatchObject({ code: 'parameters' });
});

test('a worker that reads no MongoDB says so', async () => {
  expect(await failure({ collection: 'a' })).toMatchObject({ code: 'parameters', message: /reads no MongoDB/ });
});

test('a login that Vault does not hold can come', async () => {
  const login = { mongodb_password: undefined };
  expect(await failure({ collection: 'a' }, { uri: URI, login })).toMatchObject({
    code: 'backend',
    message: expect.stringContaining('Vault holds no'),
  });
});

test('an address with a login in it, and one without a database, is refused', () => {
  expect(executorOf('mongodb://a:1,b:2/releases').type).toBe('QUERY');
  expect(() => executorOf('mongodb://user:pass@a/releases')).toThrow(RangeError);
  expect(() => executorOf('mongodb://a:1')).toThrow(RangeError);
});

test('whoever has one right to write may write', () => {
  expect(mayWrite([])).toBe(false);
  expect(mayWrite([{ actions: ['find', 'listCollections'] }])).toBe(false);
  expect(mayWrite([{ actions: ['find'] }, { actions: ['insert'] }])).toBe(true);
  expect(mayWrite([{ actions: ['anyAction'] }])).toBe(true);
});
