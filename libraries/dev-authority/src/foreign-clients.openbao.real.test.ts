import { execFile } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedPostgres, startPostgres } from '@neural-hive/embedded-postgres';
import { installHvac, installOpenBao, startOpenBao } from '@neural-hive/real-stack';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DevAuthority } from './dev-authority.ts';

/** Long enough for a program of Python or Go on a machine that is busy. */
const LIMIT = { timeout: 120_000 };
const HVAC_JOBS = join(import.meta.dirname, 'foreign-clients', 'hvac-jobs.py');
const AUDIENCE = 'vault.foreign.test';
const SUBJECT = 'spiffe://foreign.test/service';

interface Target {
  readonly address: string;
  readonly caFile: string;
  readonly rootToken: string;
  close(): Promise<void>;
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function devAuthority(): Promise<Target> {
  const folder = mkdtempSync(join(tmpdir(), 'authority-'));
  const authority = await DevAuthority.open({ stateFolder: join(folder, 'state') });
  const caFile = join(folder, 'ca.pem');
  writeFileSync(caFile, authority.caPem);
  const { address, rootToken } = authority;
  const close = async (): Promise<void> => {
    await authority.close();
    rmSync(folder, { recursive: true });
  };
  return { address, caFile, rootToken, close };
}

async function openBao(): Promise<Target> {
  const { address, caFile, rootToken, ...bao } = await startOpenBao();
  return { address, caFile, rootToken: rootToken.reveal(), close: () => bao.stop() };
}

/** What the programs of others find, and how they are run. */
class Desk {
  readonly postgres: EmbeddedPostgres;
  readonly observer: pg.Pool;
  readonly #target: Target;
  readonly #programs: { readonly bao: string; readonly python: string };
  readonly #home = mkdtempSync(join(tmpdir(), 'foreign-'));
  readonly #key: KeyObject;

  private constructor(
    target: Target,
    postgres: EmbeddedPostgres,
    programs: { bao: string; python: string },
    key: KeyObject,
  ) {
    this.#target = target;
    this.postgres = postgres;
    this.#programs = programs;
    this.#key = key;
    const { socketFolder: host, port, database, superuser } = postgres;
    this.observer = new pg.Pool({ host, port, database, ...superuser, max: 1 });
    this.observer.on('error', () => undefined);
  }

  /** Sets the server up with the CLI, as an operator would. */
  static async open(openTarget: () => Promise<Target>): Promise<Desk> {
    const programs = {
      bao: process.env.BAO_BINARY ?? (await installOpenBao()),
      python: process.env.HVAC_PYTHON ?? (await installHvac()),
    };
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const desk = new Desk(await openTarget(), await startPostgres(), programs, privateKey);
    await desk.#setUp(String(publicKey.export({ type: 'spki', format: 'pem' })));
    return desk;
  }

  async close(): Promise<void> {
    await this.observer.end();
    await this.postgres.stop();
    await this.#target.close();
    rmSync(this.#home, { recursive: true });
  }

  /** Runs the CLI with the root token, or with what it has logged in with. */
  bao(
    args: readonly string[],
    options: { token?: string | undefined; input?: string; json?: boolean } = {},
  ): Promise<Ended> {
    const { address, caFile, rootToken } = this.#target;
    const token = 'token' in options ? options.token : rootToken;
    const env = {
      HOME: this.#home,
      BAO_ADDR: address,
      BAO_CACERT: caFile,
      ...(token === undefined ? {} : { BAO_TOKEN: token }),
      ...(options.json === true ? { BAO_FORMAT: 'json' } : {}),
    };
    return run(this.#programs.bao, args, env, options.input);
  }

  /** As `bao`, and it must succeed; returns what it printed. */
  async done(...args: readonly string[]): Promise<string> {
    return succeeded(await this.bao(args));
  }

  /** As `done`, and prints JSON. */
  async asked<T>(...args: readonly string[]): Promise<T> {
    return JSON.parse(succeeded(await this.bao(args, { json: true }))) as T;
  }

  async hvac(job: string): Promise<string> {
    const { address, caFile, rootToken } = this.#target;
    const jwts = { GOOD_JWT: this.jwt(AUDIENCE), WRONG_JWT: this.jwt('another') };
    const env = {
      PATH: '/usr/bin:/bin',
      PYTHONDONTWRITEBYTECODE: '1',
      VAULT_ADDR: address,
      VAULT_CACERT: caFile,
      VAULT_TOKEN: rootToken,
    };
    return succeeded(await run(this.#programs.python, [HVAC_JOBS, job], { ...env, ...jwts }));
  }

  jwt(audience: string): string {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const nowSeconds = Math.floor(Date.now() / 1_000);
    const claims = { sub: SUBJECT, aud: [audience], iat: nowSeconds, exp: nowSeconds + 600 };
    const input = `${part({ alg: 'ES256', typ: 'JWT' })}.${part(claims)}`;
    const signature = sign('sha256', Buffer.from(input), { key: this.#key, dsaEncoding: 'ieee-p1363' });
    return `${input}.${signature.toString('base64url')}`;
  }

  async hasLogin(name: string): Promise<boolean> {
    const { rowCount } = await this.observer.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [name]);
    return rowCount === 1;
  }

  async #setUp(publicKey: string): Promise<void> {
    const { socketFolder, port, database, superuser } = this.postgres;
    await this.done('auth', 'enable', '-path=foreign-jwt', 'jwt');
    await this.done('write', 'auth/foreign-jwt/config', `jwt_validation_pubkeys=${publicKey}`);
    const bound = [`bound_audiences=${AUDIENCE}`, `bound_subject=${SUBJECT}`, 'user_claim=sub', 'role_type=jwt'];
    await this.done('write', 'auth/foreign-jwt/role/foreign', ...bound, 'token_ttl=10m');
    await this.done('secrets', 'enable', '-path=foreign-pki', '-max-lease-ttl=87600h', 'pki');
    await this.done('write', 'foreign-pki/root/generate/internal', 'common_name=root', 'ttl=8760h', 'key_type=ec');
    const names = ['allowed_domains=foreign.test', 'allow_subdomains=true', 'key_type=ec', 'key_bits=256'];
    await this.done('write', 'foreign-pki/roles/foreign', ...names, 'max_ttl=1h');
    await this.done('secrets', 'enable', '-path=foreign-db', 'database');
    const url = `postgresql://{{username}}:{{password}}@/${database}?host=${encodeURIComponent(socketFolder)}&port=${port}`;
    const login = [`username=${superuser.user}`, `password=${superuser.password}`, 'allowed_roles=*'];
    const plugin = 'plugin_name=postgresql-database-plugin';
    await this.done('write', 'foreign-db/config/main', plugin, `connection_url=${url}`, ...login);
    const creation = `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`;
    const revocation = 'DROP ROLE "{{name}}"';
    const statements = [`creation_statements=${creation}`, `revocation_statements=${revocation}`];
    await this.done(
      'write',
      'foreign-db/roles/foreign',
      'db_name=main',
      ...statements,
      'default_ttl=10m',
      'max_ttl=1h',
    );
  }
}

/** What it printed. A server may warn, on standard error. */
function succeeded({ code, stdout, stderr }: Ended): string {
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.any(String) });
  return stdout;
}

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv, input = ''): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { env }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
    child.stdin?.end(input);
  });
}

describe.each([
  { name: 'the dev authority', open: devAuthority },
  // The judge: what the jobs take for right is what it does.
  { name: 'OpenBao', open: openBao },
])('on $name', ({ open }) => {
  let desk: Desk;

  beforeAll(async () => {
    desk = await Desk.open(open);
  }, 300_000);
  afterAll(() => desk?.close());

  test('the bao CLI finds the server unsealed, logs in and keeps the token', LIMIT, async () => {
    expect(await desk.asked('status')).toMatchObject({ initialized: true, sealed: false });
    const { auth } = await desk.asked<{ auth: { client_token: string } }>(
      'token',
      'create',
      '-policy=default',
      '-ttl=10m',
    );
    const anonymous = await desk.bao(['token', 'lookup'], { token: undefined });
    expect(anonymous.code).toBe(2);
    expect((await desk.bao(['login', '-no-print', '-'], { token: undefined, input: auth.client_token })).code).toBe(0);
    expect((await desk.bao(['token', 'lookup'], { token: undefined })).stdout).toContain('default');
  });

  test('the bao CLI writes, patches, lists, deletes, undeletes, rolls back and destroys secrets', LIMIT, async () => {
    await desk.done('secrets', 'enable', '-path=cli-kv', '-version=2', 'kv');
    const at = ['-mount=cli-kv', 'app/one'];
    await desk.done('kv', 'put', '-cas=0', ...at, 'text=first');
    const late = await desk.bao(['kv', 'put', '-cas=0', ...at, 'text=late']);
    expect(late).toMatchObject({ code: 2, stderr: expect.stringContaining('check-and-set parameter did not match') });
    await desk.done('kv', 'patch', ...at, 'more=1');
    expect(await desk.asked('kv', 'get', ...at)).toMatchObject({
      data: { data: { text: 'first', more: '1' }, metadata: { version: 2 } },
    });
    expect(await desk.done('kv', 'get', '-version=1', '-field=text', ...at)).toBe('first');
    expect(await desk.asked('kv', 'list', '-mount=cli-kv', 'app')).toEqual(['one']);
    await desk.done('kv', 'delete', ...at);
    expect((await desk.bao(['kv', 'get', '-field=text', ...at])).code).not.toBe(0);
    await desk.done('kv', 'undelete', '-versions=2', ...at);
    expect(await desk.done('kv', 'get', '-field=more', ...at)).toBe('1');
    await desk.done('kv', 'rollback', '-version=1', ...at);
    expect(await desk.asked('kv', 'get', ...at)).toMatchObject({
      data: { data: { text: 'first' }, metadata: { version: 3 } },
    });
    await desk.done('kv', 'destroy', '-versions=1', ...at);
    await desk.done('kv', 'metadata', 'put', '-custom-metadata=owner=me', ...at);
    expect(await desk.done('kv', 'metadata', 'get', ...at)).toMatch(/owner:me[\s\S]*destroyed +true/);
    await desk.done('kv', 'metadata', 'delete', ...at);
    expect(await desk.bao(['kv', 'get', ...at])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('No value found'),
    });
    await desk.done('secrets', 'disable', 'cli-kv');
  });

  test('the bao CLI makes policies and tokens that may do only what the policies say', LIMIT, async () => {
    await desk.done('kv', 'put', '-mount=secret', 'app/seen', 'a=1');
    const policy = 'path "secret/data/app/*" { capabilities = ["read"] }';
    expect((await desk.bao(['policy', 'write', 'cli-reader', '-'], { input: policy })).code).toBe(0);
    expect(await desk.done('policy', 'read', 'cli-reader')).toContain(policy);
    expect(await desk.asked('policy', 'list')).toContain('cli-reader');
    const { auth } = await desk.asked<{ auth: { client_token: string; accessor: string } }>(
      'token',
      'create',
      '-policy=cli-reader',
      '-ttl=10m',
    );
    const { client_token: token, accessor } = auth;
    expect((await desk.bao(['kv', 'get', '-mount=secret', '-field=a', 'app/seen'], { token })).stdout).toBe('1');
    const denied = await desk.bao(['kv', 'put', '-mount=secret', 'app/seen', 'a=2'], { token });
    expect(denied).toMatchObject({ code: 2, stderr: expect.stringContaining('permission denied') });
    expect((await desk.bao(['token', 'capabilities', 'secret/data/app/seen'], { token })).stdout).toBe('read\n');
    expect((await desk.bao(['token', 'renew'], { token })).code).toBe(0);
    await desk.done('token', 'revoke', '-accessor', accessor);
    expect((await desk.bao(['token', 'lookup'], { token })).code).toBe(2);
    await desk.done('policy', 'delete', 'cli-reader');
  });

  test('the bao CLI leases a login of PostgreSQL, renews it and revokes it', LIMIT, async () => {
    const lease = await desk.asked<{ lease_id: string; data: { username: string } }>(
      'read',
      'foreign-db/creds/foreign',
    );
    const { username } = lease.data;
    expect(await desk.hasLogin(username)).toBe(true);
    expect(await desk.asked('lease', 'lookup', lease.lease_id)).toMatchObject({ data: { id: lease.lease_id } });
    expect(await desk.asked('lease', 'renew', lease.lease_id)).toMatchObject({ lease_id: lease.lease_id });
    await desk.done('lease', 'revoke', '-sync', lease.lease_id);
    expect(await desk.hasLogin(username)).toBe(false);
    expect((await desk.bao(['lease', 'lookup', lease.lease_id])).stderr).toContain('invalid lease');
  });

  test('the bao CLI has certificates issued and logs in with a JWT', LIMIT, async () => {
    const issue = ['write', '-format=json', 'foreign-pki/issue/foreign'];
    const issued = JSON.parse(await desk.done(...issue, 'common_name=a.foreign.test')) as {
      data: { certificate: string };
    };
    expect(issued.data.certificate).toContain('BEGIN CERTIFICATE');
    expect((await desk.bao([...issue, 'common_name=a.another.test'])).stderr).toContain('not allowed');
    const login = ['write', 'auth/foreign-jwt/login', 'role=foreign'];
    const { auth } = await desk.asked<{ auth: { lease_duration: number } }>(...login, `jwt=${desk.jwt(AUDIENCE)}`);
    expect(auth.lease_duration).toBe(600);
    expect((await desk.bao([...login, `jwt=${desk.jwt('another')}`])).code).toBe(2);
  });

  test.each(['server', 'kv', 'tokens', 'pki', 'jwt'])('hvac does its job: %s', LIMIT, async (job) => {
    await desk.hvac(job);
  });

  test('hvac leases a login of PostgreSQL, renews it and revokes it', LIMIT, async () => {
    const { username } = JSON.parse(await desk.hvac('database')) as { username: string };
    expect(username).not.toBe('');
    expect(await desk.hasLogin(username)).toBe(false);
  });
});
