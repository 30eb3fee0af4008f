import { setTimeout as delay } from 'node:timers/promises';
import { createClient, RESP_TYPES } from '@redis/client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Registry } from '../../domain/registry.ts';
import type { RegistryError } from '../../domain/registry-error.ts';
import { RedisStage, type StageReplica } from '../../testing/redis-stage.ts';
import { command, TIMING, telemetry, WORKER } from '../../testing/registry-fixture.ts';
import { probeRedis } from './redis-link.ts';

let stage: RedisStage;

beforeAll(async () => {
  stage = await RedisStage.open();
});
afterEach(() => stage.reset());
afterAll(() => stage?.close());

function registryOf({ store }: StageReplica): Registry {
  return new Registry({ store, timing: TIMING, maxAgents: 100, maxAgentsPerIdentity: 100, clock: store.clock });
}

const wanted = { capabilities: ['build'], filters: {}, maxResults: 0 };

/** Repeats a call while its failure says to try again. */
async function untilDone<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if ((error as RegistryError).code !== 'store_failed') throw error;
      await delay(20);
    }
  }
}

/** Ends every connection but the administrator's. */
async function cutConnections(): Promise<void> {
  await stage.admin.sendCommand(['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes']);
  await stage.admin.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub', 'SKIPME', 'yes']);
}

describe('item 22, the login of a Redis with TLS', () => {
  test('rotates under load on two replicas, and nothing fails or is lost', { timeout: 300_000 }, async () => {
    const replicas = [await stage.replica(), await stage.replica()];
    const registries = replicas.map(registryOf);
    const { agentId } = await (registries[0] as Registry).register(WORKER, command());
    const leave = await (replicas[1] as StageReplica).store.announceWatch(WORKER);
    let running = true;
    let done = 0;
    const failures: unknown[] = [];
    const lanes = registries.flatMap((registry, replica) =>
      Array.from({ length: 4 }, async (_, lane) => {
        const { agentId: own } = await registry.register(WORKER, command({ instanceId: `${replica} ${lane}` }));
        for (let beat = 1; running; beat += 1) {
          try {
            await registry.heartbeat(WORKER, own, telemetry({ totalExecutions: beat }));
            const other = registries[1 - replica] as Registry;
            const seen = await other.get(own);
            expect(seen.agent.telemetry?.totalExecutions).toBe(beat);
            expect((await other.discover(wanted)).length).toBeGreaterThan(0);
            done += 1;
          } catch (error) {
            failures.push(error);
          }
        }
      }),
    );
    const users: string[] = [];
    for (let rotation = 0; rotation < 10; rotation += 1) {
      const before = done;
      for (const { login } of replicas) {
        users.push(login.current().value.username);
        expect(await login.rotate()).toMatchObject({ ok: true, terminated: 0 });
      }
      while (done < before + 20) await delay(5);
    }
    expect(await (replicas[0] as StageReplica).store.isWatched([WORKER])).toBe(true);
    running = false;
    await Promise.all(lanes);
    expect(failures).toEqual([]);
    expect(await registries[1]?.get(agentId)).toMatchObject({ status: 'HEALTHY' });
    const left = (await stage.admin.sendCommand(['ACL', 'USERS'])) as string[];
    expect(left.filter((user) => users.includes(user))).toEqual([]);
    await leave();
  });

  test('reaches the keys and channels of the registry and no command that anything else would need', async () => {
    const { login } = await stage.replica();
    const { username, password } = login.current().value;
    const { host, port, ca } = stage.place;
    const client = createClient({
      socket: { host, port, tls: true, ...(ca !== undefined && { ca }), reconnectStrategy: false },
      username,
      password: password.reveal(),
      disableClientInfo: true,
      maintNotifications: 'disabled',
    });
    await client.on('error', () => undefined).connect();
    expect(await client.hGet('registry:state', 'seq')).toMatch(/^\d+$/);
    for (const refused of [
      ['HGET', 'other:state', 'seq'],
      ['HSET', 'registry2', 'a', 'b'],
      ['SUBSCRIBE', 'news'],
      ['FLUSHALL'],
      ['KEYS', '*'],
      ['CONFIG', 'GET', '*'],
      ['ACL', 'LIST'],
      ['CLIENT', 'LIST'],
      ['EVAL', "return redis.call('HGET', 'other:state', 'seq')", '0'],
    ]) {
      await expect(client.sendCommand(refused)).rejects.toThrow(/NOPERM|ACL failure|can't access/);
    }
    client.destroy();
  });

  test('that Redis does not know, and a server that another CA vouches for, are refused', async () => {
    const { login } = await stage.replica();
    const { value } = login.current();
    await probeRedis(stage.place, value);
    await expect(probeRedis(stage.place, { ...value, username: 'nobody' })).rejects.toThrow('WRONGPASS');
    const { host, port } = stage.place;
    await expect(probeRedis({ host, port }, value)).rejects.toThrow(/self.signed|unable to (get|verify)/i);
  });
});

describe('item 22, Redis', () => {
  test('may lose every connection at once: calls say try again, and then all goes on', async () => {
    const [a, b] = [await stage.replica(), await stage.replica()];
    const [here, there] = [registryOf(a), registryOf(b)];
    const { agentId } = await here.register(WORKER, command());
    const { revision } = await b.store.snapshot();
    for (let round = 0; round < 5; round += 1) {
      await cutConnections();
      await untilDone(() => here.heartbeat(WORKER, agentId, telemetry({ totalExecutions: round + 1 })));
      const seen = await untilDone(() => there.get(agentId));
      expect(seen.agent.telemetry?.totalExecutions).toBe(round + 1);
    }
    await untilDone(() => here.register(WORKER, command({ instanceId: 'late' })));
    expect((await untilDone(() => b.store.snapshot())).revision).toBe(revision + 1);
    const changes = await b.store.changesAfter(revision);
    expect(changes.map((change) => change.revision)).toEqual([revision + 1]);
  });

  test('may fall silent: the store says so, refuses at once, and comes back with it', {
    timeout: 120_000,
  }, async () => {
    const { store, ...rest } = await stage.replica();
    const registry = registryOf({ store, ...rest });
    const { agentId } = await registry.register(WORKER, command());
    expect(store.fault).toBeUndefined();
    const pid = Number(/^process_id:(\d+)/m.exec(await stage.admin.info('server'))?.[1]);
    process.kill(pid, 'SIGSTOP');
    try {
      while (store.fault === undefined) await delay(50);
      await expect(registry.heartbeat(WORKER, agentId, undefined)).rejects.toMatchObject({ code: 'store_failed' });
      await expect(registry.discover(wanted)).rejects.toMatchObject({ code: 'store_failed' });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await untilDone(() => registry.heartbeat(WORKER, agentId, undefined));
    expect(store.fault).toBeUndefined();
  });

  test('may be emptied: agents register again, and no revision is given out twice', async () => {
    const [a, b] = [await stage.replica(), await stage.replica()];
    const [here, there] = [registryOf(a), registryOf(b)];
    const { agentId } = await here.register(WORKER, command());
    const { revision } = await a.store.snapshot();
    await stage.admin.flushAll();
    await expect(there.heartbeat(WORKER, agentId, undefined)).rejects.toMatchObject({ code: 'unknown_agent' });
    expect((await there.register(WORKER, command())).agentId).toBe(agentId);
    await here.heartbeat(WORKER, agentId, undefined);
    for (const { store } of [a, b]) {
      expect((await store.snapshot()).revision).toBeGreaterThan(revision + 1);
      await expect(store.changesAfter(revision)).rejects.toMatchObject({ code: 'revision_lost' });
    }
  });

  test('may come back with less than it had: who saw more has to watch again', async () => {
    const [a, b] = [await stage.replica(), await stage.replica()];
    const [here, there] = [registryOf(a), registryOf(b)];
    await here.register(WORKER, command({ instanceId: 'kept' }));
    const bytes = stage.admin.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    const keys = (await stage.admin.keys('registry:*')).sort();
    const saved = await Promise.all(keys.map(async (key) => [key, await bytes.dump(key)] as const));
    await here.register(WORKER, command({ instanceId: 'lost' }));
    const { revision } = await b.store.snapshot();
    await stage.admin.flushAll();
    for (const [key, dump] of saved) if (dump !== null) await stage.admin.restore(key, 0, dump);
    await cutConnections();

    const left = await untilDone(() => there.list({ type: undefined, filters: {}, pageSize: 0, afterId: '' }));
    expect(left.agents.map(({ agent }) => agent.instanceId)).toEqual(['kept']);
    await untilDone(() => here.register(WORKER, command({ instanceId: 'new' })));
    for (const { store } of [a, b]) {
      await expect(untilDone(() => store.changesAfter(revision))).rejects.toMatchObject({ code: 'revision_lost' });
      expect((await untilDone(() => store.snapshot())).revision).toBeGreaterThan(revision);
    }
  });

  test('may become a follower of another server: writes go on where its name leads', async () => {
    const { store, ...rest } = await stage.replica();
    const registry = registryOf({ store, ...rest });
    const { agentId } = await registry.register(WORKER, command());
    const ids = async () => {
      const lines = String(await stage.admin.sendCommand(['CLIENT', 'LIST'])).split('\n');
      const user = rest.login.current().value.username;
      return lines.filter((line) => line.includes(` user=${user} `)).map((line) => /^id=(\d+)/.exec(line)?.[1]);
    };
    const before = await ids();
    expect(before.length).toBe(2);
    await stage.admin.sendCommand(['REPLICAOF', '127.0.0.1', '1']);
    await expect(registry.heartbeat(WORKER, agentId, undefined)).rejects.toMatchObject({ code: 'store_failed' });
    await stage.admin.sendCommand(['REPLICAOF', 'NO', 'ONE']);
    await untilDone(() => registry.heartbeat(WORKER, agentId, undefined));
    expect((await ids()).filter((id) => before.includes(id))).toEqual([]);
  });
});
