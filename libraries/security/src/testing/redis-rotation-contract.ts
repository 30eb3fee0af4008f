import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from 'redis';
import type { RedisLogin } from '../adapters/redis/index.ts';
import { Secret } from '../common/index.ts';
import { type CredentialProvider, RotatingCredential, type RotationOutcome } from '../credentials/index.ts';
import { nodeRedisOptions, type RedisDriver, type RedisTarget } from './redis-drivers.ts';
import { type LoadResult, POPPERS, startRedisLoad } from './redis-load.ts';
import type { TestRunner } from './vault-contract.ts';

/** Operations of the load between two rotations. */
const BETWEEN = 40;

/** An administrator's view on a Redis. */
export class RedisObserver {
  readonly #client: ReturnType<typeof adminClient>;

  private constructor(client: ReturnType<typeof adminClient>) {
    this.#client = client;
  }

  static async open(target: RedisTarget): Promise<RedisObserver> {
    const client = adminClient(target);
    client.on('error', () => undefined);
    await client.connect();
    return new RedisObserver(client);
  }

  send(...args: string[]): Promise<unknown> {
    return this.#client.sendCommand(args);
  }

  /** The names of all ACL users. */
  async users(): Promise<string[]> {
    return (await this.send('ACL', 'USERS')) as string[];
  }

  /** The user of each open connection but this one. */
  async sessions(): Promise<string[]> {
    const self = String(await this.send('CLIENT', 'ID'));
    const lines = String(await this.send('CLIENT', 'LIST'))
      .trim()
      .split('\n');
    return lines.filter((line) => !line.startsWith(`id=${self} `)).map((line) => / user=(\S*)/.exec(line)?.[1] ?? '');
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}

function adminClient(target: RedisTarget) {
  const { username, password } = target.admin;
  return createClient({ ...nodeRedisOptions(target), username, password: password.reveal() });
}

/** Every generation is an ACL user of its own; revoking removes it, and Redis ends its connections with it. */
export function aclUsers(observer: RedisObserver): CredentialProvider<RedisLogin> {
  let made = 0;
  return {
    name: 'acl-user',
    async obtain() {
      made += 1;
      const username = `app-${made}`;
      const password = new Secret(randomBytes(16).toString('hex'));
      await observer.send('ACL', 'SETUSER', username, 'on', `>${password.reveal()}`, '~*', '&*', '+@all');
      return {
        value: { username, password },
        issuedAtMs: Date.now(),
        expiresAtMs: Number.POSITIVE_INFINITY,
        revoke: async () => void (await observer.send('ACL', 'DELUSER', username)),
      };
    },
  };
}

export interface RedisRotationRun extends LoadResult {
  readonly outcomes: readonly RotationOutcome[];
  /** Connections and ACL users of old generations that were left. */
  readonly left: readonly string[];
  readonly generations: readonly number[];
}

/** Rotates under twenty users, with a drain of at most `drainTimeoutMs`; 0 switches it off. */
export async function runRedisRotation(options: {
  readonly target: RedisTarget;
  readonly driver: RedisDriver;
  readonly rotations: number;
  readonly drainTimeoutMs: number;
  readonly provider?: CredentialProvider<RedisLogin>;
}): Promise<RedisRotationRun> {
  const { target, driver, rotations, drainTimeoutMs } = options;
  const observer = await RedisObserver.open(target);
  await observer.send('FLUSHALL');
  const provider = options.provider ?? aclUsers(observer);
  const credential = await RotatingCredential.open<RedisLogin>({ provider, drainTimeoutMs });
  try {
    const clients = await driver.open(target, credential, POPPERS);
    const load = await startRedisLoad(clients);
    const outcomes: RotationOutcome[] = [];
    const old: string[] = [];
    for (let rotation = 0; rotation < rotations; rotation += 1) {
      const before = load.done();
      old.push(credential.current().value.username);
      outcomes.push(await credential.rotate());
      // Every rotation meets clients in full use.
      while (load.done() < before + BETWEEN) await delay(5);
    }
    const generations = [...clients.sessions().keys()];
    const known = [...(await observer.users()), ...(await observer.sessions())];
    const result = await load.stop();
    await clients.close();
    return { ...result, outcomes, generations, left: known.filter((name) => old.includes(name)) };
  } finally {
    await credential.close();
    await observer.close();
  }
}

/** The rotation contract on real clients of a real Redis. */
export function describeRedisRotation(
  openTarget: () => Promise<RedisTarget>,
  driver: RedisDriver,
  runner: TestRunner,
  rotations = 20,
): void {
  const { describe, test } = runner;

  describe(`the rotation contract of ${driver.name}`, () => {
    test(`${rotations} rotations under load fail, repeat and lose nothing, and leave nothing of old users`, async () => {
      const target = await openTarget();
      const run = await runRedisRotation({ target, driver, rotations, drainTimeoutMs: 20_000 });
      assert.deepEqual(run.failures, []);
      assert.equal(run.reconnects, 0);
      assert.equal(run.lost, 0);
      assert.ok(run.done >= rotations * BETWEEN);
      assert.ok(run.outcomes.every(({ ok, terminated }) => ok && terminated === 0));
      assert.deepEqual(run.generations, [rotations + 1]);
      assert.deepEqual(run.left, []);
    });

    test('the same load without draining does fail', async () => {
      const target = await openTarget();
      const run = await runRedisRotation({ target, driver, rotations: 5, drainTimeoutMs: 0 });
      assert.ok(run.outcomes.every(({ ok }) => ok));
      assert.ok(run.failures.length > 0, 'the load is too light to show a difference');
      assert.ok(run.reconnects > 0);
      assert.ok(run.outcomes.some(({ terminated }) => terminated > 0));
    });
  });
}
