import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DATABASE_ROLES, migratorRole } from '@neural-hive/contracts';
import { DevAuthority } from '@neural-hive/dev-authority';
import { type EmbeddedPostgres, startPostgres } from '@neural-hive/embedded-postgres';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { databaseBootstrap } from '../database/bootstrap.ts';
import { ANNOUNCE_ROTATOR_ROLE } from '../setup/names.ts';
import { EMBEDDED_LIFETIMES, type SetupParameters } from '../setup/parameters.ts';
import { platformSetup } from '../setup/platform-setup.ts';
import { applyVaultSetup } from './apply-setup.ts';

const workspace = resolve(import.meta.dirname, '..', '..');

let folder: string;
let authority: DevAuthority;
let postgres: EmbeddedPostgres;
let client: VaultClient;
let superuser: Client;
let parameters: SetupParameters;

beforeAll(async () => {
  folder = mkdtempSync('/tmp/setup-');
  chmodSync(folder, 0o700);
  [authority, postgres] = await Promise.all([
    DevAuthority.open({ stateFolder: join(folder, 'state') }),
    startPostgres({ database: 'neural_hive' }),
  ]);
  const { address, caPem, rootToken } = authority;
  client = await VaultClient.open({ address, ca: caPem, auth: tokenAuth({ token: rootToken }) });
  const { socketFolder, port, database, superuser: login } = postgres;
  superuser = new Client({ host: socketFolder, port, database, ...login });
  await superuser.connect();
  const { vaultAdmin } = await databaseBootstrap(superuser);
  parameters = {
    lifetimes: EMBEDDED_LIFETIMES,
    jwt: { provider: 'spiffe' },
    postgres: {
      url: `host=${socketFolder} port=${port} dbname=${database} user={{username}} password={{password}}`,
      username: vaultAdmin.username,
      ...(vaultAdmin.password === undefined ? {} : { password: vaultAdmin.password.reveal() }),
    },
  };
});

afterAll(async () => {
  await superuser.end();
  await client.close();
  await authority.close();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** As a caller gives them that does not know the password any more. */
function withoutPassword(): SetupParameters {
  const { url, username } = parameters.postgres ?? { url: '', username: '' };
  return { ...parameters, postgres: { url, username } };
}

describe('the setup on the development authority', () => {
  test('everything is made once, nothing is missing, and a second run changes nothing', async () => {
    const first = await applyVaultSetup(client, platformSetup(parameters));
    expect(first.created).toEqual(
      expect.arrayContaining(['policy operator', 'jwt issuer', 'jwt role worker-agents', 'pki root']),
    );
    expect(first.unavailable).toEqual([]);
    const second = await applyVaultSetup(client, platformSetup(withoutPassword()));
    expect(second).toMatchObject({ created: [], updated: [], unavailable: [] });
  });

  test.each([
    ...Object.values([DATABASE_ROLES.orchestrator, DATABASE_ROLES.workerTickets, DATABASE_ROLES.workerQuery]),
    migratorRole('tickets'),
    ANNOUNCE_ROTATOR_ROLE,
  ])('a login of %s works, and its open session ends with the lease', async (role) => {
    const { value, revoke } = await client
      .database()
      .credentials(role)
      .then((lease) => ({
        value: lease.value,
        revoke: () => lease.revoke(),
      }));
    const { socketFolder: host, port, database } = postgres;
    const login = { user: value.username, password: value.password.reveal() };
    const session = new Client({ host, port, database, ...login });
    session.on('error', () => {});
    await session.connect();
    expect((await session.query('SELECT session_user AS name')).rows).toEqual([{ name: value.username }]);
    await revoke();
    await expect(session.query('SELECT 1')).rejects.toThrow();
    const roles = await superuser.query('SELECT FROM pg_roles WHERE rolname = $1', [value.username]);
    expect(roles.rowCount).toBe(0);
    await session.end();
  });

  test('a mount of another type at a path is a conflict, and stays', async () => {
    const setup = { policies: [], authMethods: [], engines: [{ path: 'secret', type: 'pki', entries: [] }] };
    await expect(applyVaultSetup(client, setup)).rejects.toMatchObject({ code: 'mount_conflict' });
  });
});

describe('the program vault-setup', () => {
  interface Run {
    readonly code: number | null;
    readonly stdout: string;
    readonly stderr: string;
  }

  // Not spawnSync: the authority that it talks to runs in this process.
  async function run(...args: string[]): Promise<Run> {
    const child = spawn(process.execPath, [join(workspace, 'dist', 'main.js'), ...args]);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk;
    });
    const code = await new Promise<number | null>((done) => child.once('close', done));
    return { code, stdout, stderr };
  }

  beforeAll(() => {
    spawnSync(process.execPath, [join(workspace, '../../tools/build.mjs'), workspace]);
    writeFileSync(join(folder, 'parameters.json'), JSON.stringify(withoutPassword()), { mode: 0o600 });
  });

  test('reports as JSON, and as lines', async () => {
    const { address, caFile, rootTokenFile } = authority;
    const server = ['--address', address, '--ca', caFile, '--token-file', rootTokenFile];
    const args = [...server, '--parameters', join(folder, 'parameters.json')];
    const json = await run(...args, '--json');
    expect(json.stderr).toBe('');
    expect(json.code).toBe(0);
    expect(JSON.parse(json.stdout)).toMatchObject({ created: [], updated: [], unavailable: [] });
    const lines = await run(...args, '--plan');
    expect(lines.stdout).toContain('0 created, 0 updated');
    expect(lines.stdout).toContain('nothing was written');
  });

  test('names a missing option, a wrong parameter and a file that is not there, and ends with 2', async () => {
    const missing = await run('--address', authority.address);
    expect(missing).toMatchObject({ code: 2, stdout: '' });
    expect(missing.stderr).toContain('--parameters is missing');
    writeFileSync(join(folder, 'wrong.json'), '{"lifetimes":{"tokenSeconds":0},"surprise":1}');
    const wrong = await run('--address', authority.address, '--parameters', join(folder, 'wrong.json'));
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('surprise');
    expect(wrong.stderr).toContain('tokenSeconds');
    expect((await run('--parameters', join(folder, 'none.json'))).stderr).toContain('none.json');
    writeFileSync(join(folder, 'broken.json'), '{"password":"hunter2"');
    expect((await run('--parameters', join(folder, 'broken.json'))).stderr).not.toContain('hunter2');
  });
});
