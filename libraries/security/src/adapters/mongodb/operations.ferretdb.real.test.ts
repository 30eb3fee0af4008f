import { type FerretDbServer, startFerretDb } from '@neural-hive/real-stack';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RotatingCredential } from '../../credentials/index.ts';
import { commandTarget, type MongoTarget, userPerGeneration } from '../../testing/mongo-target.ts';
import {
  type MongoLogin,
  type RotatingCollection,
  type RotatingDb,
  type RotatingMongoClient,
  rotatingMongoClient,
} from './index.ts';

interface Part {
  readonly _id: number;
  readonly kind: string;
  readonly stock: number;
}

const PARTS: Part[] = [
  { _id: 1, kind: 'bolt', stock: 10 },
  { _id: 2, kind: 'nut', stock: 20 },
  { _id: 3, kind: 'bolt', stock: 30 },
  { _id: 4, kind: 'nut', stock: 40 },
];

let server: FerretDbServer;
let target: MongoTarget;
let credential: RotatingCredential<MongoLogin>;
let client: RotatingMongoClient;
let db: RotatingDb;
let parts: RotatingCollection<Part>;

beforeAll(async () => {
  server = await startFerretDb();
  target = await commandTarget(server.uri, server);
  credential = await RotatingCredential.open({ provider: userPerGeneration(target), drainTimeoutMs: 60_000 });
  client = await rotatingMongoClient(credential, server.uri);
  db = client.db('shop');
  // Taken once, used by every test below, each of which begins with a rotation.
  parts = db.collection<Part>('parts');
});

afterAll(async () => {
  await client?.close();
  await credential?.close();
  await target?.[Symbol.asyncDispose]();
  await server?.stop();
});

async function rotateAndFill(): Promise<void> {
  expect(await credential.rotate()).toMatchObject({ ok: true, terminated: 0 });
  await parts.deleteMany({});
  await parts.insertMany(PARTS);
}

describe('a collection that is kept over rotations', () => {
  test('inserts, finds, updates, replaces and deletes', async () => {
    await rotateAndFill();
    expect(parts.namespace).toBe('shop.parts');
    expect(await parts.insertOne({ _id: 5, kind: 'gear', stock: 1 })).toMatchObject({ insertedId: 5 });
    expect(await parts.findOne({ _id: 5 })).toEqual({ _id: 5, kind: 'gear', stock: 1 });
    expect(await parts.updateOne({ _id: 1 }, { $inc: { stock: 5 } })).toMatchObject({ modifiedCount: 1 });
    expect(await parts.updateMany({ kind: 'nut' }, { $set: { stock: 0 } })).toMatchObject({ modifiedCount: 2 });
    expect(await parts.replaceOne({ _id: 3 }, { kind: 'bolt', stock: 31 })).toMatchObject({ matchedCount: 1 });
    expect(await parts.deleteOne({ _id: 5 })).toMatchObject({ deletedCount: 1 });
    expect((await parts.find().sort({ _id: 1 }).toArray()).map(({ stock }) => stock)).toEqual([15, 0, 31, 0]);
  });

  test('finds and changes in one step', async () => {
    await rotateAndFill();
    const options = { returnDocument: 'after' } as const;
    expect(await parts.findOneAndUpdate({ _id: 1 }, { $inc: { stock: 1 } }, options)).toMatchObject({ stock: 11 });
    expect(await parts.findOneAndReplace({ _id: 2 }, { kind: 'nut', stock: 2 }, options)).toMatchObject({ stock: 2 });
    expect(await parts.findOneAndDelete({ _id: 3 })).toMatchObject({ stock: 30 });
    expect(await parts.countDocuments()).toBe(3);
  });

  test('counts, tells what is distinct, aggregates and writes in bulk', async () => {
    await rotateAndFill();
    expect(await parts.countDocuments({ kind: 'nut' })).toBe(2);
    expect(await parts.estimatedDocumentCount()).toBe(4);
    expect((await parts.distinct('kind')).sort()).toEqual(['bolt', 'nut']);
    const sums = parts.aggregate<{ _id: string; sum: number }>([{ $match: { stock: { $gt: 10 } } }]);
    const grouped = sums.group({ _id: '$kind', sum: { $sum: '$stock' } }).sort({ _id: 1 });
    expect(await grouped.toArray()).toEqual([
      { _id: 'bolt', sum: 30 },
      { _id: 'nut', sum: 60 },
    ]);
    const written = await parts.bulkWrite([
      { insertOne: { document: { _id: 9, kind: 'gear', stock: 9 } } },
      { updateOne: { filter: { _id: 1 }, update: { $set: { stock: 0 } } } },
      { deleteOne: { filter: { _id: 2 } } },
    ]);
    expect(written).toMatchObject({ insertedCount: 1, modifiedCount: 1, deletedCount: 1 });
  });

  test('makes, lists and drops indexes', async () => {
    await rotateAndFill();
    const name = await parts.createIndex({ kind: 1 });
    expect(await parts.createIndexes([{ key: { stock: -1 }, name: 'stock' }])).toEqual(['stock']);
    expect((await parts.indexes()).map((index) => index.name).sort()).toEqual(['_id_', name, 'stock'].sort());
    expect((await parts.listIndexes().toArray()).length).toBe(3);
    expect(await parts.indexExists('stock')).toBe(true);
    await parts.dropIndex('stock');
    await parts.dropIndexes();
    expect(Object.keys(await parts.indexInformation())).toEqual(['_id_']);
  });
});

describe('a cursor', () => {
  test('is shaped, read, copied and read again as that of the driver', async () => {
    await rotateAndFill();
    const cursor = parts
      .find({ stock: { $gt: 10 } })
      .sort('stock', -1)
      .skip(1)
      .limit(5)
      .batchSize(1);
    expect(await cursor.hasNext()).toBe(true);
    expect(await cursor.next()).toEqual(PARTS[2]);
    // As in the driver, what has begun keeps its shape.
    expect(() => cursor.limit(1)).toThrow(/already/i);
    expect(await cursor.clone().toArray()).toEqual([PARTS[2], PARTS[1]]);
    expect(await cursor.tryNext()).toEqual(PARTS[1]);
    expect(await cursor.next()).toBeNull();
    cursor.rewind();
    expect(await cursor.toArray()).toHaveLength(2);
    const names = parts
      .find()
      .sort({ _id: 1 })
      .project<{ kind: string }>({ _id: 0, kind: 1 })
      .map(({ kind }) => kind);
    const seen: string[] = [];
    const visitThree = (kind: string): boolean => seen.push(kind) < 3;
    await names.forEach(visitThree);
    expect(seen).toEqual(['bolt', 'nut', 'bolt']);
    const streamed: Part[] = [];
    for await (const part of parts.find().stream()) streamed.push(part);
    expect(streamed).toHaveLength(4);
    expect([...client.uses().values()]).toEqual([0]);
  });

  test('that is left in the middle lets its client go', async () => {
    await rotateAndFill();
    for await (const part of parts.find().batchSize(1)) if (part._id === 1) break;
    await using left = parts.find().batchSize(1);
    await left.next();
    expect([...client.uses().values()]).toEqual([1]);
    await left.close();
    await left.close();
    expect(left.closed).toBe(true);
    expect([...client.uses().values()]).toEqual([0]);
  });

  test('that the server refuses lets its client go', async () => {
    await rotateAndFill();
    await expect(parts.find({ $nope: 1 } as never).toArray()).rejects.toThrow(/\$nope/);
    await expect(parts.aggregate([{ $nope: 1 }]).next()).rejects.toThrow(/\$nope/);
    expect([...client.uses().values()]).toEqual([0]);
  });
});

test('a database makes, lists, renames and drops collections, and runs commands', async () => {
  await rotateAndFill();
  const made = await db.createCollection<Part>('made');
  await made.insertOne({ _id: 1, kind: 'new', stock: 0 });
  const renamed = await made.rename('renamed');
  expect(await renamed.countDocuments()).toBe(1);
  const names = (await db.listCollections().toArray()).map(({ name }) => name);
  expect(names.sort()).toEqual(['parts', 'renamed']);
  expect(await db.dropCollection('renamed')).toBe(true);
  const other = await db.createCollection('other');
  expect(await other.drop()).toBe(true);
  expect(await db.command({ ping: 1 })).toMatchObject({ ok: 1 });
  expect(await db.stats()).toMatchObject({ db: 'shop' });
  const { databases } = await client.db().admin().listDatabases();
  expect(databases.map(({ name }) => name)).toContain('shop');
  expect(await client.use((driver) => driver.db('shop').collection('parts').countDocuments())).toBe(4);
  await client.db('gone').collection('x').insertOne({});
  expect(await client.db('gone').dropDatabase()).toBe(true);
});

test('a login in the connection string gives way to that of the credential', async () => {
  await using other = await rotatingMongoClient(credential, server.uri.replace('//', '//nobody:wrong@'));
  expect(await other.db('shop').command({ ping: 1 })).toMatchObject({ ok: 1 });
});

test('a wrong login is refused when the client is opened, and no client is left', async () => {
  const wrong = { username: 'nobody', password: credential.current().value.password };
  const provider = {
    name: 'wrong',
    obtain: async () => ({ value: wrong, issuedAtMs: 0, expiresAtMs: Infinity, revoke: async () => undefined }),
  };
  await using refused = await RotatingCredential.open<MongoLogin>({ provider });
  await expect(rotatingMongoClient(refused, server.uri)).rejects.toThrow(/authentication failed/i);
});
