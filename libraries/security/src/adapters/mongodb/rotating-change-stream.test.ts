import { once } from 'node:events';
import type { ChangeStreamInsertDocument, Document } from 'mongodb';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RotatingCredential } from '../../credentials/index.ts';
import { scriptedTarget, userPerGeneration } from '../../testing/mongo-target.ts';
import { type MongoLogin, type RotatingChangeStream, type RotatingMongoClient, rotatingMongoClient } from './index.ts';

const ROTATIONS = 10;

interface Item extends Document {
  readonly item: number;
}

type Insert = ChangeStreamInsertDocument<Item>;

let target: Awaited<ReturnType<typeof scriptedTarget>>;
let credential: RotatingCredential<MongoLogin>;
let client: RotatingMongoClient;

beforeEach(async () => {
  target = await scriptedTarget();
  credential = await RotatingCredential.open({ provider: userPerGeneration(target), drainTimeoutMs: 60_000 });
  client = await rotatingMongoClient(credential, target.uri);
});

afterEach(async () => {
  await client.close();
  await credential.close();
  await target[Symbol.asyncDispose]();
});

const items = () => client.db('shop').collection<Item>('items');
const watch = (): RotatingChangeStream<Item, Insert> => items().watch<Item, Insert>();
const store = (item: number) => items().insertOne({ item });

/** Resolves once a stream waits on the server for what comes next. */
async function untilWatched(): Promise<void> {
  while (target.server.waitingStreams === 0) await new Promise((resolve) => setImmediate(resolve));
}

test('a change stream hands out every change once over ten rotations, in order, and holds up none', async () => {
  const stream = watch();
  const seen: number[] = [];
  const reading = (async () => {
    for await (const { fullDocument } of stream) seen.push(fullDocument.item);
  })();
  await untilWatched();
  let sent = 0;
  for (let rotation = 0; rotation < ROTATIONS; rotation += 1) {
    const storing = Promise.all([store(sent), store(sent + 1)]);
    expect(await credential.rotate()).toMatchObject({ ok: true, terminated: 0 });
    await storing;
    await store(sent + 2);
    sent += 3;
  }
  while (seen.length < sent) await new Promise((resolve) => setImmediate(resolve));
  await stream.close();
  await reading;
  expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: sent }, (_, item) => item));
  const stored = target.server.collections.get('shop.items')?.map(({ item }) => item);
  expect(seen).toEqual(stored);
});

test('it resumes with the new user after the last change that was handed out, not after the last that had arrived', async () => {
  const stream = watch();
  const first = stream.next();
  await untilWatched();
  await items().insertMany([{ item: 1 }, { item: 2 }, { item: 3 }]);
  expect((await first).fullDocument.item).toBe(1);
  const token = stream.resumeToken;
  expect(stream.generation).toBe(1);
  await credential.rotate();
  expect([stream.generation, stream.resumeToken]).toEqual([0, token]);
  expect((await stream.next()).fullDocument.item).toBe(2);
  expect((await stream.next()).fullDocument.item).toBe(3);
  expect(stream.generation).toBe(2);
  const { username } = credential.current().value;
  const opened = target.server.commands.filter(({ name }) => name === 'aggregate');
  expect(opened.map((command) => command.username === username)).toEqual([false, true]);
  expect(opened[1]?.command.pipeline[0].$changeStream).toMatchObject({ resumeAfter: token });
});

test('it resumes where it began when nothing had come yet', async () => {
  const stream = watch();
  const first = stream.next();
  await untilWatched();
  await credential.rotate();
  await store(1);
  expect((await first).fullDocument.item).toBe(1);
});

test('one that was asked to start after a token asks so again until a change has come', async () => {
  await store(1);
  const before = watch();
  const waiting = before.next();
  await untilWatched();
  const startAfter = before.resumeToken;
  await before.close();
  await expect(waiting).rejects.toThrow('closed');
  const stream = items().watch<Item, Insert>([], { startAfter });
  const first = stream.next();
  await untilWatched();
  await credential.rotate();
  await store(2);
  expect((await first).fullDocument.item).toBe(2);
  const stages = target.server.commands.flatMap(({ name, command }) =>
    name === 'aggregate' ? [command.pipeline[0].$changeStream] : [],
  );
  expect(stages.slice(1).map((stage) => Object.keys(stage))).toEqual([['startAfter'], ['startAfter']]);
});

test('a listener gets the changes before and after a rotation; nothing else may read beside it', async () => {
  const stream = watch();
  const seen: number[] = [];
  const heard = (count: number) =>
    new Promise<void>((resolve) => {
      stream.on('change', ({ fullDocument }) => {
        seen.push(fullDocument.item);
        if (seen.length === count) resolve();
      });
    });
  const both = heard(2);
  await untilWatched();
  await store(1);
  await credential.rotate();
  await store(2);
  await both;
  expect(seen).toEqual([1, 2]);
  expect(() => stream.next()).toThrow(TypeError);
  const closed = once(stream, 'close');
  await stream.close();
  await closed;
});

test('an error of the server that no resuming helps ends it for good and lets its client go', async () => {
  const stream = watch();
  const first = stream.next();
  await untilWatched();
  const refused = expect(first).rejects.toMatchObject({ codeName: 'CursorKilled' });
  target.server.killCursors();
  await refused;
  expect(stream.closed).toBe(true);
  await expect(stream.next()).rejects.toThrow('closed');
  expect([...client.uses()]).toEqual([[1, 0]]);
});

test('closing the client ends its streams and waits for no change', async () => {
  const stream = watch();
  const reading = (async () => {
    for await (const _ of stream) throw new Error('there is no change');
  })();
  await untilWatched();
  await client.close();
  await reading;
  expect(stream.closed).toBe(true);
});
