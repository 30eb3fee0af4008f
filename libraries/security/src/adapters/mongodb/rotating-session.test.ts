import type { ClientSession, Document } from 'mongodb';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RotatingCredential } from '../../credentials/index.ts';
import { scriptedTarget, userPerGeneration } from '../../testing/mongo-target.ts';
import { type MongoLogin, type RotatingMongoClient, rotatingMongoClient } from './index.ts';

const NAMESPACE = 'shop.orders';

let target: Awaited<ReturnType<typeof scriptedTarget>>;
let credential: RotatingCredential<MongoLogin>;
let client: RotatingMongoClient;

async function open(drainTimeoutMs: number): Promise<void> {
  credential = await RotatingCredential.open({ provider: userPerGeneration(target), drainTimeoutMs });
  client = await rotatingMongoClient(credential, target.uri);
}

beforeEach(async () => {
  target = await scriptedTarget();
});

afterEach(async () => {
  await client.close();
  await credential.close();
  await target[Symbol.asyncDispose]();
});

const orders = () => client.db('shop').collection<Document>('orders');
const username = () => credential.current().value.username;
const committed = () => target.server.collections.get(NAMESPACE)?.map(({ item }) => item) ?? [];

/** Starts a rotation and resolves once new work runs on the new client. */
async function rotationUnderWay() {
  const { generation } = client;
  const rotation = credential.rotate();
  while (client.generation === generation) await new Promise((resolve) => setImmediate(resolve));
  return { rotation };
}

describe('a transaction', () => {
  beforeEach(() => open(60_000));

  test('that is under way at the swap is committed by the user who began it, and the drain waits for it', async () => {
    const first = username();
    let rotation: ReturnType<typeof credential.rotate> | undefined;
    const result = await client.withSession((session) =>
      session.withTransaction(async () => {
        await orders().insertOne({ item: 'a' }, { session });
        ({ rotation } = await rotationUnderWay());
        await orders().insertOne({ item: 'b' }, { session });
        await orders().insertOne({ item: 'beside' });
        expect(committed()).toEqual(['beside']);
        return 'done';
      }),
    );
    expect(result).toBe('done');
    expect(await rotation).toMatchObject({ ok: true, terminated: 0 });
    expect(committed()).toEqual(['beside', 'a', 'b']);
    expect(target.server.namesOf(first)).toEqual(['insert', 'insert', 'commitTransaction']);
    expect(target.server.namesOf(username())).toEqual(['insert']);
  });

  test('whose work throws is aborted by the user who began it', async () => {
    const first = username();
    let rotation: ReturnType<typeof credential.rotate> | undefined;
    const failing = client.withSession({ defaultTransactionOptions: { writeConcern: { w: 'majority' } } }, (session) =>
      session.withTransaction(async () => {
        await orders().insertOne({ item: 'a' }, { session });
        ({ rotation } = await rotationUnderWay());
        throw new Error('out of stock');
      }),
    );
    await expect(failing).rejects.toThrow('out of stock');
    expect(await rotation).toMatchObject({ ok: true, terminated: 0 });
    expect(committed()).toEqual([]);
    expect(target.server.namesOf(first)).toEqual(['insert', 'abortTransaction']);
  });

  test('by hand works too, and a session that is not ended holds its generation', async () => {
    const session = client.startSession();
    session.startTransaction();
    await orders().insertMany([{ item: 'a' }, { item: 'b' }], { session });
    const { rotation } = await rotationUnderWay();
    await session.commitTransaction();
    expect(client.uses().get(1)).toBe(1);
    await session.endSession();
    expect(await rotation).toMatchObject({ terminated: 0 });
    expect(committed()).toEqual(['a', 'b']);
  });

  test('may read through a cursor that runs on its client', async () => {
    const first = username();
    await orders().insertMany([{ item: 'a' }, { item: 'b' }, { item: 'c' }]);
    await client.withSession(async (session) => {
      const { rotation } = await rotationUnderWay();
      expect(await orders().find({}, { session, batchSize: 1 }).toArray()).toHaveLength(3);
      void rotation;
    });
    expect(target.server.namesOf(first).filter((name) => name === 'find')).toHaveLength(1);
  });
});

test('a session with many operations at a time makes the process warn of no leak', async () => {
  await open(60_000);
  const warnings: string[] = [];
  const hear = ({ name }: Error): void => void warnings.push(name);
  process.on('warning', hear);
  await client.withSession((session) =>
    Promise.all(Array.from({ length: 20 }, (_, item) => orders().insertOne({ item }, { session }))),
  );
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', hear);
  expect(warnings).not.toContain('MaxListenersExceededWarning');
  expect(committed()).toHaveLength(20);
});

describe('past the drain deadline', () => {
  beforeEach(() => open(50));

  test('what a session does is refused with a typed error and nothing of it is stored', async () => {
    const session: ClientSession = client.startSession();
    session.startTransaction();
    await orders().insertOne({ item: 'a' }, { session });
    expect(await credential.rotate()).toMatchObject({ ok: true, terminated: 1 });
    const terminated = { code: 'session-terminated', retryable: true };
    await expect(orders().insertOne({ item: 'b' }, { session })).rejects.toMatchObject(terminated);
    await expect(session.commitTransaction()).rejects.toMatchObject(terminated);
    await session.endSession();
    expect(committed()).toEqual([]);
  });

  test('a commit without an answer ends with the typed error, within withTransaction as well', async () => {
    const gate = target.server.gate('commitTransaction');
    const failing = client.withSession((session) =>
      session.withTransaction(async () => void (await orders().insertOne({ item: 'a' }, { session }))),
    );
    const refused = expect(failing).rejects.toMatchObject({ code: 'session-terminated' });
    await gate.reached;
    expect(await credential.rotate()).toMatchObject({ terminated: 1 });
    await refused;
    gate.release();
  });

  test('an operation without an answer ends with the typed error', async () => {
    const gate = target.server.gate('insert');
    const refused = expect(orders().insertOne({ item: 'a' })).rejects.toMatchObject({ code: 'session-terminated' });
    await gate.reached;
    expect(await credential.rotate()).toMatchObject({ terminated: 1 });
    await refused;
    gate.release();
    await orders().insertOne({ item: 'b' });
    expect(target.server.namesOf(username())).toEqual(['insert']);
  });
});
