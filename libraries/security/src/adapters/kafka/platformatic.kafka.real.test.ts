import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  consumePlatformatic,
  type PlatformaticClient,
  type PlatformaticMessage,
  type PlatformaticSasl,
  type PlatformaticStream,
  rotatingPlatformatic,
} from './index.ts';
import { GROUP_PREFIX, KafkaStage } from './testing/kafka-stage.ts';

interface Message extends PlatformaticMessage {
  readonly value: string;
}
interface Producer extends PlatformaticClient {
  send(options: { messages: { topic: string; key: string; value: string }[] }): Promise<unknown>;
}
interface Consumer extends PlatformaticClient {
  consume(options: {
    topics: string[];
    autocommit: boolean;
    mode: string;
    fallbackMode: string;
    maxWaitTime: number;
  }): Promise<PlatformaticStream<Message>>;
}
type Options = Record<string, unknown> & { sasl: PlatformaticSasl };
/** What the tests need of the package, which lives in a folder of its own. */
interface Package {
  readonly Producer: new (options: Options) => Producer;
  readonly Consumer: new (options: Options) => Consumer;
  readonly stringSerializers: unknown;
  readonly stringDeserializers: unknown;
}

const ROTATIONS = 20;
const PRODUCERS = 20;
const MAX_REAUTH_MS = 8_000;
const LIMIT = 600_000;

let stage: KafkaStage;
let kafka: Package;
beforeAll(async () => {
  const folder = process.env.PLATFORMATIC_KAFKA ?? '';
  kafka = await import(join(folder, 'node_modules', '@platformatic', 'kafka', 'dist', 'index.js'));
  stage = await KafkaStage.open(MAX_REAUTH_MS);
}, 180_000);
afterAll(() => stage?.server.stop());

test('20 rotations under load: no failed send, no lost message, no login left', { timeout: LIMIT }, async () => {
  const topic = await stage.topic(4);
  const credential = await stage.credential();
  const { broker, ca } = stage.server;
  const base = { clientId: 'test', bootstrapBrokers: [broker], tls: { ca }, retries: 0 };
  const producers = await rotatingPlatformatic(
    credential,
    (sasl) => new kafka.Producer({ ...base, sasl, serializers: kafka.stringSerializers }),
  );
  const group = { groupId: `${GROUP_PREFIX}platformatic`, deserializers: kafka.stringDeserializers, retries: 5 };
  const consumers = await rotatingPlatformatic(
    credential,
    (sasl) => new kafka.Consumer({ ...base, ...group, sasl, heartbeatInterval: 200, sessionTimeout: 30_000 }),
  );
  const received = new Map<string, number>();
  const deliveries = new EventTarget();
  const stop = new AbortController();
  const consuming = consumePlatformatic(consumers, {
    consume: (consumer) =>
      consumer.consume({
        topics: [topic],
        autocommit: false,
        mode: 'committed',
        fallbackMode: 'earliest',
        maxWaitTime: 200,
      }),
    eachMessage: ({ value }) => {
      received.set(value, (received.get(value) ?? 0) + 1);
      deliveries.dispatchEvent(new Event('message'));
    },
    signal: stop.signal,
  });
  const failures: unknown[] = [];
  const acknowledged = new Set<string>();
  const sends = new EventTarget();
  let sending = true;
  const sender = async (name: number): Promise<void> => {
    for (let number = 0; sending; number += 1) {
      const value = `${name}/${number}`;
      try {
        await producers.use((producer) => producer.send({ messages: [{ topic, key: String(name), value }] }));
        acknowledged.add(value);
      } catch (error) {
        failures.push(error);
      }
      sends.dispatchEvent(new Event('send'));
    }
  };
  const senders = Array.from({ length: PRODUCERS }, (_, name) => sender(name));
  const outcomes = [];
  const startMs = performance.now();
  for (let rotation = 0; rotation < ROTATIONS; rotation += 1) {
    outcomes.push(await credential.rotate());
    for (let send = 0; send < PRODUCERS; send += 1) await once(sends, 'send');
  }
  while (performance.now() - startMs < MAX_REAUTH_MS * 2) await once(sends, 'send');
  sending = false;
  await Promise.all(senders);
  while ([...acknowledged].some((value) => !received.has(value))) await once(deliveries, 'message');
  stop.abort();
  await consuming;

  const duplicates = [...received.values()].reduce((sum, count) => sum + count - 1, 0);
  console.info(`${acknowledged.size} sent, ${failures.length} failed, 0 lost, ${duplicates} came again`);
  expect(failures).toEqual([]);
  expect(acknowledged.size).toBeGreaterThan(ROTATIONS * PRODUCERS);
  expect(outcomes.map(({ ok, error, terminated }) => [ok, error, terminated])).toEqual(
    outcomes.map(() => [true, undefined, 0]),
  );
  expect(await stage.userNames()).toEqual([credential.current().value.username]);
  await producers.close();
  await consumers.close();
  await credential.close();
  expect(await stage.userNames()).toEqual([]);
});
