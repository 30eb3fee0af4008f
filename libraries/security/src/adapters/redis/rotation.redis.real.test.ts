import { readFileSync } from 'node:fs';
import { type RedisServer, startRedis } from '@neural-hive/real-stack';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { ioredisDriver, nodeRedisDriver, nodeRedisPoolDriver, type RedisTarget } from '../../testing/redis-drivers.ts';
import { describeRedisRotation } from '../../testing/redis-rotation-contract.ts';

/** More than the tests' 20 for a long run: `ROTATIONS=100 npm run test:real -- redis`. */
const ROTATIONS = Number(process.env.ROTATIONS ?? 20);

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});

afterAll(async () => {
  await server?.stop();
});

async function target(): Promise<RedisTarget> {
  const { host, port, caFile, admin } = server;
  return { host, port, caPem: readFileSync(caFile, 'utf8'), admin };
}

// Loaded machines take their time.
const runner = {
  describe,
  beforeAll,
  afterAll,
  test: (name: string, body: () => Promise<void>): void => test(name, { timeout: 300_000 }, body),
};

for (const driver of [nodeRedisDriver, nodeRedisPoolDriver, ioredisDriver]) {
  describeRedisRotation(target, driver, runner, ROTATIONS);
}
