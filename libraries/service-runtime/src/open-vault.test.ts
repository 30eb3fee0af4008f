import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '@neural-hive/security/common';
import { VaultConfig } from '@neural-hive/security/config';
import type { JwtSvid } from '@neural-hive/security/spiffe';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLogger } from './logger.ts';
import { openVault } from './open-vault.ts';
import { createServiceMetrics } from './service-metrics.ts';
import { ScriptedVault } from './testing/scripted-vault.ts';

let folder: string;
let server: ScriptedVault | undefined;
const metrics = createServiceMetrics();
const log = createLogger({ name: 'test', level: 'silent' });
const asked: unknown[] = [];
const jwt = {
  fetchJwtSvid: async (request: { audience: string | readonly string[] }) => {
    asked.push(request.audience);
    return { token: new Secret('a.b.c') } as JwtSvid;
  },
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'open-vault-'));
  asked.length = 0;
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function listen(options: { away?: boolean } = {}): Promise<ScriptedVault> {
  server = await ScriptedVault.listen(options);
  writeFileSync(join(folder, 'ca.pem'), server.caPem);
  return server;
}

function configOf(vault: ScriptedVault, env: Record<string, string> = {}): VaultConfig {
  return VaultConfig.fromEnv({
    VAULT_ADDRESS: vault.gateAddress,
    VAULT_CA_BUNDLE: join(folder, 'ca.pem'),
    VAULT_AUTH_METHOD: 'token',
    VAULT_TOKEN: 'hvs.a',
    VAULT_MAX_RETRIES: '0',
    ...env,
  });
}

const open = (config: VaultConfig, signal = new AbortController().signal) =>
  openVault({ config, jwt, context: { log, metrics, signal } });

describe('logging in as the configuration says', () => {
  const role = { VAULT_KUBERNETES_ROLE: 'worker' };
  test.each([
    ['jwt, with a JWT-SVID', { VAULT_AUTH_METHOD: 'jwt', VAULT_JWT_AUDIENCE: 'vault', ...role }, { jwt: 'a.b.c' }],
    ['jwt, from a file', { VAULT_AUTH_METHOD: 'jwt', VAULT_TOKEN_PATH: 'token', ...role }, { jwt: 'd.e.f' }],
    ['kubernetes', { VAULT_AUTH_METHOD: 'kubernetes', VAULT_TOKEN_PATH: 'token', ...role }, { jwt: 'd.e.f' }],
    ['approle', { VAULT_AUTH_METHOD: 'approle', VAULT_ROLE_ID: 'id', VAULT_SECRET_ID: 's' }, { secret_id: 's' }],
    [
      'approle, from a file',
      { VAULT_AUTH_METHOD: 'approle', VAULT_ROLE_ID: 'id', VAULT_SECRET_ID_PATH: 'token' },
      { secret_id: 'd.e.f' },
    ],
  ])('%s', async (_name, env: Record<string, string>, sent) => {
    const vault = await listen();
    const file = join(folder, 'token');
    writeFileSync(file, 'd.e.f\n');
    const paths = Object.fromEntries(
      Object.entries(env).map(([key, value]) => [key, value === 'token' ? file : value]),
    );
    const opened = await open(configOf(vault, paths));
    expect(vault.to(`/v1/auth/${env.VAULT_AUTH_METHOD}/login`)[0]).toMatchObject(sent);
    expect(asked).toEqual('jwt' in sent && sent.jwt === 'a.b.c' ? ['vault'] : []);
    await opened.close();
  });
});

describe('the journal of leases', () => {
  const journals = () => readdirSync(join(folder, 'leases'));
  const withJournal = () => ({ VAULT_LEASE_JOURNAL_PATH: join(folder, 'leases') });

  test('is kept for nobody else while something is leased, and gone when all was given back', async () => {
    const { client, close } = await open(configOf(await listen(), withJournal()));
    await client.database().credentials('r');
    expect(statSync(join(folder, 'leases')).mode & 0o777).toBe(0o700);
    expect(journals()).toHaveLength(1);
    await close();
    expect(server?.to('/v1/sys/leases/revoke').map(({ lease_id }) => lease_id)).toEqual(['database/creds/r/2']);
    expect(journals()).toEqual([]);
  });

  test('has what a killed process left revoked before anything is leased', async () => {
    const vault = await listen();
    const dead = Number(execFileSync(process.execPath, ['-e', 'console.log(process.pid)'], { encoding: 'utf8' }));
    await open(configOf(vault, withJournal())).then(({ close }) => close());
    const lines = [{ owner: { host: hostname(), pid: dead, started: '1' } }, { lease: 'database/creds/r/1' }];
    writeFileSync(join(folder, 'leases', 'dead.leases'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const { close } = await open(configOf(vault, withJournal()));
    expect(vault.to('/v1/sys/leases/revoke').map(({ lease_id }) => lease_id)).toEqual(['database/creds/r/1']);
    await close();
  });
});

describe('a Vault that is away', () => {
  test('is waited for where the configuration says so, and each attempt is counted', async () => {
    const away = await listen({ away: true });
    const config = configOf(away, { VAULT_FAIL_OPEN: 'true', ENVIRONMENT: 'test' });
    const opening = open(config);
    const counted = async () =>
      Number(/^vault_fail_open_total (\d+)$/m.exec(await metrics.registry.metrics())?.[1] ?? 0);
    await expect.poll(counted, { timeout: 20_000 }).toBeGreaterThan(0);
    away.letIn();
    const opened = await opening;
    expect(opened.client.token.generation).toBe(1);
    await opened.close();
  });

  test('is given up when the service stops', async () => {
    const config = configOf(await listen({ away: true }), { VAULT_FAIL_OPEN: 'true', ENVIRONMENT: 'test' });
    const stopping = new AbortController();
    const opening = open(config, stopping.signal);
    stopping.abort(new Error('the service stops'));
    await expect(opening).rejects.toThrow('the service stops');
  });
});
