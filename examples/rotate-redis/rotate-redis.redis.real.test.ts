import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { type OpenBaoServer, type RedisServer, startOpenBao, startRedis } from '@neural-hive/real-stack';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { afterAll, beforeAll, expect, test } from 'vitest';

const PROGRAMS = ['node-redis.mjs', 'ioredis.mjs'];
const ROTATIONS = 2;
const root = resolve(import.meta.dirname, '../..');
const guide = readFileSync(join(root, 'docs/guides/rotate-redis.md'), 'utf8');

let bao: OpenBaoServer;
let redis: RedisServer;
let vault: VaultClient;

/** The bodies that the guide has an operator write, by path. */
function settingsOf(path: string): Record<string, unknown> {
  const [, command = ''] = guide.split(`bao write ${path} `);
  const [lines = ''] = command.split('\n\n');
  const pairs = [...lines.matchAll(/(\w+)=(?:'([^']*)'|(\S+))/g)];
  return Object.fromEntries(pairs.map(([, name, quoted, plain]) => [name, quoted ?? plain]));
}

beforeAll(async () => {
  // The example runs on what is built; when the build fails here, another check says so better.
  spawnSync(process.execPath, [join(root, 'tools/build.mjs'), 'libraries/security'], { cwd: root });
  [bao, redis] = await Promise.all([startOpenBao(), startRedis()]);
  const auth = tokenAuth({ token: bao.rootToken });
  vault = await VaultClient.open({ address: bao.address, ca: { file: bao.caFile }, auth });
  const write = (path: string, body: Record<string, unknown>) => vault.request({ method: 'POST', path, body });
  await vault.sys.mounts.enable('database', { type: 'database' });
  const { host, port, admin } = redis;
  await write('database/config/redis', {
    ...settingsOf('database/config/redis'),
    host,
    port,
    ca_cert: readFileSync(redis.caFile, 'utf8'),
    username: admin.username,
    password: admin.password.reveal(),
  });
  await write('database/roles/app', settingsOf('database/roles/app'));
});

afterAll(async () => {
  await vault?.close();
  await Promise.all([bao?.stop(), redis?.stop()]);
});

test.each(PROGRAMS)(
  '%s follows the logins that OpenBao leases, without an error',
  { timeout: 180_000 },
  async (program) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, program)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        VAULT_ADDR: bao.address,
        VAULT_CACERT: bao.caFile,
        VAULT_TOKEN: bao.rootToken.reveal(),
        REDIS_PORT: String(redis.port),
        REDIS_CACERT: redis.caFile,
      },
    });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    const logins = new Set<string>();
    let asked = 0;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { login, ok } = JSON.parse(line) as { login?: string; ok?: boolean };
      if (ok === false) errors += line;
      if (login !== undefined) logins.add(login);
      // Each login that is seen is a reason to ask for the next, and enough of them for the end.
      if (logins.size <= asked) return;
      asked = logins.size;
      child.kill(asked > ROTATIONS ? 'SIGINT' : 'SIGHUP');
    });
    const [exitCode] = (await once(child, 'exit')) as [number | null];
    expect({ exitCode, errors }).toEqual({ exitCode: 0, errors: '' });
    expect(logins.size).toBe(ROTATIONS + 1);
  },
);

test.each(PROGRAMS)('the guide shows the lines of %s as they are', (program) => {
  const [core = ''] = readFileSync(join(import.meta.dirname, program), 'utf8').split('\n// That is all.');
  expect(guide).toContain(core.trim());
});
