import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import {
  type MongoLogin,
  type RotatingCollection,
  type RotatingMongoClientOptions,
  rotatingMongoClient,
} from '../adapters/mongodb/index.ts';
import { CredentialError, RotatingCredential, type RotationOutcome } from '../credentials/index.ts';
import { type MongoTarget, userPerGeneration } from './mongo-target.ts';
import type { TestRunner } from './vault-contract.ts';

const USERS = 20;
const SEED = Array.from({ length: 10 }, (_, number) => ({ number }));

interface Row {
  readonly number: number;
}

/** Twenty users, each of whom inserts and then reads over several batches, again and again. Nothing is repeated. */
function startLoad(collection: RotatingCollection<Row>) {
  let running = true;
  let done = 0;
  const failures: unknown[] = [];
  const user = async (): Promise<void> => {
    while (running) {
      try {
        await collection.insertOne({ number: done });
        const rows = await collection.find({}, { limit: 6, batchSize: 2 }).toArray();
        assert.equal(rows.length, 6);
        done += 1;
      } catch (error) {
        failures.push(error);
      }
    }
  };
  const users = Array.from({ length: USERS }, user);
  return {
    /** How often a user did both, so far. */
    done: () => done,
    async stop() {
      running = false;
      await Promise.all(users);
      return { done, failures };
    },
  };
}

/** Counts what the driver's own events say, by generation. */
function observe() {
  const connections = new Map<number, number>();
  const failedCommands: string[] = [];
  const onClient: RotatingMongoClientOptions['onClient'] = (client, generation) => {
    const count = (change: number) => connections.set(generation, (connections.get(generation) ?? 0) + change);
    client.on('connectionCreated', () => count(1));
    client.on('connectionClosed', () => count(-1));
    client.on('commandFailed', ({ commandName }) => failedCommands.push(commandName));
  };
  const options = { monitorCommands: true, onClient } satisfies RotatingMongoClientOptions;
  const openIn = () => [...connections].filter(([, open]) => open > 0).map(([generation]) => generation);
  return { options, failedCommands, openIn };
}

/** The rotation contract on a MongoDB server: each generation is a user who is dropped when it is revoked. */
export function describeMongoRotation(
  openTarget: () => Promise<MongoTarget>,
  runner: TestRunner,
  rotations = 20,
): void {
  const { describe, test, beforeAll, afterAll } = runner;
  let target: MongoTarget;
  let collections = 0;

  describe('the MongoDB rotation contract', () => {
    beforeAll(async () => {
      target = await openTarget();
    });
    afterAll(async () => target?.[Symbol.asyncDispose]());

    const openCredential = (drainTimeoutMs: number) =>
      RotatingCredential.open<MongoLogin>({ provider: userPerGeneration(target), drainTimeoutMs });
    const openClient = (credential: RotatingCredential<MongoLogin>, options?: RotatingMongoClientOptions) =>
      // The load may leave little of the machine to the probe.
      rotatingMongoClient(credential, target.uri, { probeTimeoutMs: 60_000, ...options });
    const seeded = async (client: Awaited<ReturnType<typeof openClient>>): Promise<RotatingCollection<Row>> => {
      collections += 1;
      const collection = client.db('contract').collection<Row>(`rows${collections}`);
      await collection.insertMany(SEED);
      return collection;
    };
    const rotateUnderLoad = async (collection: RotatingCollection<Row>, credential: RotatingCredential<MongoLogin>) => {
      const load = startLoad(collection);
      const outcomes: RotationOutcome[] = [];
      for (let rotation = 0; rotation < rotations; rotation += 1) {
        const before = load.done();
        outcomes.push(await credential.rotate());
        // Every rotation meets users at work.
        while (load.done() < before + USERS) await delay(5);
      }
      return { ...(await load.stop()), outcomes };
    };

    test(`${rotations} rotations under the load of twenty users fail nothing and repeat nothing`, async () => {
      await using credential = await openCredential(30_000);
      const { options, failedCommands, openIn } = observe();
      await using client = await openClient(credential, options);
      const { failures, done, outcomes } = await rotateUnderLoad(await seeded(client), credential);
      assert.deepEqual(failures, []);
      assert.ok(done >= rotations * USERS);
      // The driver repeats by itself only what failed.
      assert.deepEqual(failedCommands, []);
      assert.ok(outcomes.every(({ ok, terminated }) => ok && terminated === 0));
      assert.equal(client.generation, rotations + 1);
      assert.deepEqual(openIn(), [rotations + 1], 'a connection of a dropped user is left');
      assert.deepEqual([...client.uses()], [[rotations + 1, 0]]);
    });

    test('the same load without draining does fail, with errors that say why', async () => {
      await using credential = await openCredential(0);
      await using client = await openClient(credential);
      const { failures, outcomes } = await rotateUnderLoad(await seeded(client), credential);
      assert.ok(failures.length > 0, 'the load is too light to show a difference');
      for (const error of failures) assert.ok(error instanceof CredentialError && error.code === 'session-terminated');
      assert.ok(outcomes.every(({ ok }) => ok));
      assert.ok(outcomes.some(({ terminated }) => terminated > 0));
    });

    test('a user who was dropped cannot log in any more', async () => {
      await using credential = await openCredential(1_000);
      const { username, password } = credential.current().value;
      const login = async (): Promise<void> => {
        await using client = new MongoClient(target.uri, { auth: { username, password: password.reveal() } });
        await client.db('contract').command({ ping: 1 });
      };
      await login();
      assert.equal((await credential.rotate()).ok, true);
      await assert.rejects(login(), /authentication/i);
    });

    test('a cursor that is half read ends on the client that it began with, and the drain waits for it', async () => {
      await using credential = await openCredential(30_000);
      await using client = await openClient(credential);
      const collection = await seeded(client);
      const cursor = collection.find({}, { batchSize: 2 });
      const numbers = [(await cursor.next())?.number];
      const rotation = credential.rotate();
      while (client.generation === 1) await delay(1);
      await collection.insertOne({ number: 10 });
      assert.deepEqual(
        [...client.uses()],
        [
          [1, 1],
          [2, 0],
        ],
      );
      for await (const { number } of cursor) numbers.push(number);
      const { ok, terminated } = await rotation;
      assert.deepEqual([ok, terminated], [true, 0]);
      assert.deepEqual(
        numbers.slice(0, 10),
        SEED.map(({ number }) => number),
      );
      assert.deepEqual([...client.uses()], [[2, 0]]);
    });

    test('a cursor that is made before a rotation and read after it runs on the new client', async () => {
      await using credential = await openCredential(30_000);
      await using client = await openClient(credential);
      const cursor = (await seeded(client)).find().batchSize(3);
      assert.equal((await credential.rotate()).terminated, 0);
      assert.equal((await cursor.toArray()).length, SEED.length);
    });

    test('a cursor gives its documents although its client is closed once the server has sent the last', async () => {
      await using credential = await openCredential(30_000);
      await using client = await openClient(credential);
      const cursor = (await seeded(client)).find();
      assert.equal((await cursor.next())?.number, 0);
      assert.equal((await credential.rotate()).terminated, 0);
      assert.equal(cursor.bufferedCount(), SEED.length - 1);
      assert.equal((await cursor.toArray()).length, SEED.length - 1);
    });

    test('a cursor that outlasts the drain ends with a typed error, and can be read anew', async () => {
      await using credential = await openCredential(50);
      await using client = await openClient(credential);
      const cursor = (await seeded(client)).find({}, { batchSize: 2 });
      await cursor.next();
      assert.equal((await credential.rotate()).terminated, 1);
      await assert.rejects(cursor.next(), (error) => {
        assert.ok(error instanceof CredentialError && error.code === 'session-terminated' && error.retryable);
        return true;
      });
      cursor.rewind();
      assert.equal((await cursor.toArray()).length, SEED.length);
    });

    test('a login that cannot do the work is refused by the probe and the old one stays', async () => {
      await using credential = await openCredential(1_000);
      let refuse = false;
      const probe = async (client: MongoClient): Promise<void> => {
        await client.db('contract').collection('rows').findOne();
        if (refuse) throw new Error('may not read rows');
      };
      await using client = await openClient(credential, { probe });
      const collection = await seeded(client);
      refuse = true;
      const { ok, error } = await credential.rotate();
      assert.ok(!ok && error instanceof CredentialError && error.code === 'probe-failed');
      assert.equal(client.generation, 1);
      await collection.insertOne({ number: 11 });
      refuse = false;
      assert.equal((await credential.rotate()).ok, true);
      // The refused candidate was the second.
      assert.equal(client.generation, 2);
      await collection.insertOne({ number: 12 });
    });

    test('work on the client of the driver is waited for', async () => {
      await using credential = await openCredential(30_000);
      await using client = await openClient(credential);
      await seeded(client);
      let rotation: Promise<RotationOutcome> | undefined;
      await client.use(async (driver) => {
        rotation = credential.rotate();
        while (client.generation === 1) await delay(1);
        await driver.db('contract').collection<Row>('rows').insertOne({ number: 13 });
      });
      assert.equal((await rotation)?.terminated, 0);
    });
  });
}
