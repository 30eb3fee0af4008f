import { readFileSync } from 'node:fs';
import { type OpenBaoServer, type RedisServer, startOpenBao, startRedis } from '@neural-hive/real-stack';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { databaseCredentials } from '../../credentials/index.ts';
import { ioredisDriver, nodeRedisDriver, type RedisTarget } from '../../testing/redis-drivers.ts';
import { RedisObserver, runRedisRotation } from '../../testing/redis-rotation-contract.ts';
import { tokenAuth, VaultClient } from '../../vault/index.ts';

const ROTATIONS = 5;

let bao: OpenBaoServer;
let redis: RedisServer;
let client: VaultClient;
let target: RedisTarget;

/** OpenBao makes an ACL user for each login and removes it when the lease is revoked; it reaches Redis over TLS. */
beforeAll(async () => {
  [bao, redis] = await Promise.all([startOpenBao(), startRedis()]);
  const { host, port, admin } = redis;
  target = { host, port, admin, caPem: readFileSync(redis.caFile, 'utf8') };
  const auth = tokenAuth({ token: bao.rootToken });
  client = await VaultClient.open({ address: bao.address, ca: { file: bao.caFile }, auth });
  await client.sys.mounts.enable('database', { type: 'database' });
  const write = (path: string, body: Record<string, unknown>) =>
    client.request({ method: 'POST', path, body, operation: 'test.write' });
  await write('database/config/redis', {
    plugin_name: 'redis-database-plugin',
    allowed_roles: ['*'],
    host,
    port,
    tls: true,
    ca_cert: target.caPem,
    username: admin.username,
    password: admin.password.reveal(),
  });
  await write('database/roles/app', {
    db_name: 'redis',
    creation_statements: JSON.stringify(['~*', '&*', '+@all']),
    default_ttl: '10m',
    max_ttl: '1h',
  });
});

afterAll(async () => {
  await client?.close();
  await Promise.all([bao?.stop(), redis?.stop()]);
});

for (const driver of [nodeRedisDriver, ioredisDriver]) {
  test(`logins that OpenBao leases rotate under the load of ${driver.name} and leave no user behind`, {
    timeout: 300_000,
  }, async () => {
    const provider = databaseCredentials(client, 'app');
    const run = await runRedisRotation({ target, driver, rotations: ROTATIONS, drainTimeoutMs: 20_000, provider });
    expect(run.failures).toEqual([]);
    expect(run).toMatchObject({ lost: 0, reconnects: 0, left: [], generations: [ROTATIONS + 1] });
    for (const outcome of run.outcomes) expect(outcome).toMatchObject({ ok: true, terminated: 0 });
    const observer = await RedisObserver.open(target);
    expect((await observer.users()).sort()).toEqual([redis.admin.username, 'default']);
    await observer.close();
  });
}
