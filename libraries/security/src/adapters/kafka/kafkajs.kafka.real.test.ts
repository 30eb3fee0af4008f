import { once } from 'node:events';
import { Partitioners } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Secret } from '../../common/index.ts';
import { RotatingCredential } from '../../credentials/index.ts';
import { type KafkaLogin, rotatingAdmin, rotatingConsumer, rotatingProducer } from './index.ts';
import { GROUP_PREFIX, KafkaStage } from './testing/kafka-stage.ts';

const PRODUCERS = 20;
/** More than the tests' 20 for a long run: `ROTATIONS=100 npm run test:real -- kafka`. */
const ROTATIONS = Number(process.env.ROTATIONS ?? 20);
/** Shorter than the tests, so that every connection that lives on has authenticated again. */
const MAX_REAUTH_MS = 8_000;
const NO_RETRY = { retry: { retries: 0 } };
const LIMIT = 600_000;

const produce = { createPartitioner: Partitioners.DefaultPartitioner };

let stage: KafkaStage;
beforeAll(async () => {
  stage = await KafkaStage.open(MAX_REAUTH_MS);
}, 180_000);
afterAll(() => stage?.server.stop());

/** Calls back once a time, when `count` has got to `target`. */
class Progress extends EventTarget {
  count = 0;

  add(): void {
    this.count += 1;
    this.dispatchEvent(new Event('progress'));
  }

  async reaches(target: number): Promise<void> {
    while (this.count < target) await once(this, 'progress');
  }
}

test(`${ROTATIONS} rotations under load: no failed send, no lost message, no login left`, {
  timeout: LIMIT,
}, async () => {
  const topic = await stage.topic(6);
  const credential = await stage.credential();
  const received = new Map<string, number>();
  const deliveries = new Progress();
  const groupId = `${GROUP_PREFIX}load`;
  const member = () =>
    rotatingConsumer(credential, stage.config(), {
      consumer: { groupId, heartbeatInterval: 200, maxWaitTimeInMs: 200, sessionTimeout: 30_000 },
      topics: [topic],
      run: {
        eachMessage: async ({ message }) => {
          const value = message.value?.toString() ?? '';
          received.set(value, (received.get(value) ?? 0) + 1);
          deliveries.add();
        },
      },
    });
  const consumers = [await member(), await member()];
  const producer = await rotatingProducer(credential, stage.config(NO_RETRY), {
    producer: produce,
  });
  const sends = new Progress();
  const failures: unknown[] = [];
  const acknowledged = new Set<string>();
  let sending = true;
  const sender = async (name: number): Promise<void> => {
    for (let number = 0; sending; number += 1) {
      const value = `${name}/${number}`;
      try {
        await producer.send({ topic, messages: [{ key: String(name), value }] });
        acknowledged.add(value);
      } catch (error) {
        failures.push(error);
      }
      sends.add();
    }
  };
  const senders = Array.from({ length: PRODUCERS }, (_, name) => sender(name));
  const outcomes = [];
  const startMs = performance.now();
  for (let rotation = 0; rotation < ROTATIONS; rotation += 1) {
    outcomes.push(await credential.rotate());
    // Every rotation meets producers and consumers at work.
    await sends.reaches(sends.count + PRODUCERS);
    await deliveries.reaches(deliveries.count + 1);
  }
  // As long as a session: whatever still runs on a connection of a deleted user would be ended now.
  while (performance.now() - startMs < MAX_REAUTH_MS * 2) await sends.reaches(sends.count + PRODUCERS);
  sending = false;
  await Promise.all(senders);
  while ([...acknowledged].some((value) => !received.has(value))) await once(deliveries, 'progress');

  const duplicates = [...received.values()].reduce((sum, count) => sum + count - 1, 0);
  console.info(`${acknowledged.size} sent, ${failures.length} failed, 0 lost, ${duplicates} came again`);
  expect(failures).toEqual([]);
  expect(acknowledged.size).toBeGreaterThan(ROTATIONS * PRODUCERS);
  expect(outcomes.map(({ ok, error, terminated }) => [ok, error, terminated])).toEqual(
    outcomes.map(() => [true, undefined, 0]),
  );
  expect(await stage.userNames()).toEqual([credential.current().value.username]);
  for (const consumer of consumers) expect([...consumer.connections().keys()]).toEqual([ROTATIONS + 1]);
  expect([...producer.uses().keys()]).toEqual([ROTATIONS + 1]);
  await producer.close();
  for (const consumer of consumers) await consumer.close();
  await credential.close();
  expect(await stage.userNames()).toEqual([]);
});

test('without a rotation a connection lives on by authenticating again, and fails once its user is deleted', {
  timeout: LIMIT,
}, async () => {
  const topic = await stage.topic(1);
  const login = await stage.createUser();
  const sasl = { username: login.username, password: login.password.reveal() };
  const producer = stage.plain(sasl, NO_RETRY).producer(produce);
  await producer.connect();
  const startMs = performance.now();
  const send = () => producer.send({ topic, messages: [{ value: 'x' }] });
  // The positive control: past the end of its session a connection has authenticated again.
  while (performance.now() - startMs < MAX_REAUTH_MS * 1.5) await send();
  await stage.users.deleteUser(login.username, {});
  // Its rights go at once, its connection when it has to authenticate again. Which is noticed first, and whether the
  // broker's reason comes before its end of the connection, is a race.
  await expect(
    (async () => {
      for (;;) await send();
    })(),
  ).rejects.toThrow(/authentication failed|not authorized|closed connection/i);
  await producer.disconnect();
  await expect(stage.plain(sasl, NO_RETRY).producer(produce).connect()).rejects.toThrow(/authentication failed/i);
});

test('a broker ends a connection that authenticates again as another user', { timeout: LIMIT }, async () => {
  const topic = await stage.topic(1);
  const [first, second] = [await stage.createUser(), await stage.createUser()];
  const sasl = { username: first.username, password: first.password.reveal() };
  const producer = stage.plain(sasl, NO_RETRY).producer(produce);
  await producer.connect();
  const send = () => producer.send({ topic, messages: [{ value: 'x' }] });
  await send();
  Object.assign(sasl, { username: second.username, password: second.password.reveal() });
  await expect(
    (async () => {
      for (;;) await send();
    })(),
  ).rejects.toThrow(/connection|principals/i);
  await producer.disconnect();
  for (const { username } of [first, second]) await stage.users.deleteUser(username, {});
});

test('an admin client follows, and its work ends on the connection it began on', { timeout: LIMIT }, async () => {
  const topic = await stage.topic(3);
  await using credential = await stage.credential();
  await using admin = await rotatingAdmin(credential, stage.config());
  const partitions = await admin.use(async (client) => {
    const rotation = credential.rotate();
    while (admin.generation === 1) await client.fetchTopicOffsets(topic);
    const offsets = await client.fetchTopicOffsets(topic);
    return { rotation, count: offsets.length };
  });
  expect(partitions.count).toBe(3);
  expect(await partitions.rotation).toMatchObject({ ok: true, terminated: 0 });
  expect(admin.generation).toBe(2);
});

test('a login that the broker refuses leaves the old one in use', { timeout: LIMIT }, async () => {
  const topic = await stage.topic(1);
  const provider = stage.provider();
  let refused = false;
  await using credential = await RotatingCredential.open<KafkaLogin>({
    provider: {
      name: 'kafka',
      async obtain(options) {
        const issued = await provider.obtain(options);
        return refused ? { ...issued, value: { ...issued.value, password: new Secret('another') } } : issued;
      },
    },
  });
  await using producer = await rotatingProducer(credential, stage.config(NO_RETRY), { producer: produce });
  const send = () => producer.send({ topic, messages: [{ value: 'x' }] });
  await send();
  refused = true;
  const outcome = await credential.rotate();
  expect(outcome).toMatchObject({ ok: false, error: { code: 'probe-failed' } });
  await send();
  refused = false;
  expect(await credential.rotate()).toMatchObject({ ok: true });
  await send();
  expect(await stage.userNames()).toEqual([credential.current().value.username]);
});

test('item 30: what would send a password in the clear or share a transaction is refused', async () => {
  await using credential = await stage.credential();
  const config = { ...stage.config(), ssl: false } as unknown as Parameters<typeof rotatingProducer>[1];
  await expect(rotatingProducer(credential, config)).rejects.toThrow('ssl: must be given');
  const shared = { producer: { transactionalId: 'x' } } as Parameters<typeof rotatingProducer>[2];
  await expect(rotatingProducer(credential, stage.config(), shared)).rejects.toThrow('transactionalId');
});
