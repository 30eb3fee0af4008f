import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Secret } from '../../common/index.ts';
import { CertificateAuthority } from '../../testing/certificate-authority.ts';
import { answerLogin, answerSecret } from '../../testing/fault-client.ts';
import { FaultVault, reply } from '../../testing/fault-vault.ts';
import { FixedIdentity, x509SvidOf } from '../../testing/fixed-identity.ts';
import { VaultClient } from '../client.ts';
import type { VaultClientOptions } from '../options.ts';
import { appRoleAuth } from './app-role.ts';
import type { VaultAuth } from './auth.ts';
import { certAuth } from './cert.ts';
import { jwtAuth } from './jwt.ts';
import { kubernetesAuth } from './kubernetes.ts';

const authority = CertificateAuthority.create('login.test');
const ID = 'spiffe://login.test/service';
const newSvid = () => x509SvidOf(authority.issueX509Svid({ id: ID, ttlSeconds: 600 }));

let server: FaultVault;
beforeEach(async () => {
  server = await FaultVault.listen({ clientCaPem: authority.certificatePem });
});
afterEach(() => server.close());

const open = (auth: VaultAuth, options: Partial<VaultClientOptions> = {}): Promise<VaultClient> =>
  VaultClient.open({ address: server.address, ca: server.caPem, auth, openTimeoutMs: 0, random: () => 0, ...options });

/** Logs in everybody, each time with another token, and answers every read. */
function answerAll(): void {
  let logins = 0;
  server.handler = ({ path }, response) => {
    if (path.endsWith('/login')) {
      logins += 1;
      return answerLogin(response, `hvs.t${logins}`);
    }
    if (path.includes('/data/')) return answerSecret(response);
    reply(response, 204, '');
  };
}

describe('a login with a certificate', () => {
  beforeEach(answerAll);

  test('shows it at the login and at everything after, and names the role', async () => {
    const svid = newSvid();
    const identity = new FixedIdentity(svid, []);
    const client = await open(certAuth({ identity, role: 'service', mount: 'certs' }));
    await client.kv().read('a');
    expect(server.to('/v1/auth/certs/login')[0]?.body).toEqual({ name: 'service' });
    const shown = new Set(server.requests.map(({ clientFingerprint }) => clientFingerprint));
    expect(shown.size).toBe(1);
    expect([...shown][0]).toMatch(/^[0-9A-F:]{95}$/);
    await client.close();
    expect(identity.listenerCount).toBe(0);
  });

  test('is made anew, with the new certificate, when the identity rotates; the old token is revoked last and never renewed', async () => {
    const identity = new FixedIdentity(newSvid(), []);
    await using client = await open(certAuth({ identity }));
    const replaced = new Promise<string>((resolve) => client.onTokenReplaced(({ reason }) => resolve(reason)));
    const revoked = new Promise<void>((resolve) => {
      const answer = server.handler;
      server.handler = (request, response) => {
        answer(request, response);
        if (request.path.endsWith('/revoke-self')) resolve();
      };
    });
    identity.setX509Svid(newSvid());
    expect(await replaced).toBe('certificate-rotated');
    await revoked;
    const [first, second] = server.to('/v1/auth/cert/login');
    expect(second?.clientFingerprint).not.toBe(first?.clientFingerprint);
    expect(server.to('/v1/auth/token/renew-self')).toEqual([]);
    expect(server.to('/v1/auth/token/revoke-self')[0]?.headers['x-vault-token']).toBe('hvs.t1');
    expect(client.token.generation).toBe(2);
  });

  test('that refuses the new certificate leaves the old token in use, and is tried again', async () => {
    const identity = new FixedIdentity(newSvid(), []);
    await using client = await open(certAuth({ identity }), { maxRetries: 0, loginBackoffCapMs: 200 });
    const answer = server.handler;
    let refusals = 0;
    let onRefusal: () => void = () => undefined;
    const refused = new Promise<void>((resolve) => (onRefusal = resolve));
    server.handler = (request, response) => {
      if (!request.path.endsWith('/login') || refusals > 1) return answer(request, response);
      refusals += 1;
      onRefusal();
      reply(response, 403, { errors: ['permission denied'] });
    };
    const replaced = new Promise<void>((resolve) => client.onTokenReplaced(() => resolve()));
    identity.setX509Svid(newSvid());
    await refused;
    expect((await client.kv().read('a')).version).toBe(3);
    await replaced;
    expect(refusals).toBe(2);
    expect(client.token.generation).toBe(2);
  });

  test('goes on while requests of the old connections end', async () => {
    const identity = new FixedIdentity(newSvid(), []);
    await using client = await open(certAuth({ identity }));
    const answer = server.handler;
    let finish: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      server.handler = (request, response) => {
        if (!request.path.includes('/data/')) return answer(request, response);
        finish = () => answerSecret(response);
        resolve();
      };
    });
    const reading = client.kv().read('a');
    await held;
    const replaced = new Promise<void>((resolve) => client.onTokenReplaced(() => resolve()));
    identity.setX509Svid(newSvid());
    await replaced;
    finish();
    expect((await reading).version).toBe(3);
  });

  test('is not repeated for an update without another certificate, nor when the SVID is withdrawn', async () => {
    const svid = newSvid();
    const identity = new FixedIdentity(svid, []);
    await using client = await open(certAuth({ identity }));
    identity.setX509Svid(svid);
    identity.setX509Bundle(authority.bundle());
    identity.setX509Svid(undefined);
    await client.kv().read('a');
    expect(server.to('/v1/auth/cert/login')).toHaveLength(1);
  });

  test('needs an identity', () => {
    expect(() => certAuth({ identity: {} as never })).toThrow(/^identity:/);
  });
});

describe('a login without a certificate of its own', () => {
  beforeEach(async () => {
    await server.close();
    server = await FaultVault.listen();
    answerAll();
  });

  test('by a role id sends both ids, and a role without secret id only the one', async () => {
    await (await open(appRoleAuth({ roleId: 'role', secretId: new Secret('secret') }))).close();
    await (await open(appRoleAuth({ roleId: 'role', mount: 'apps' }))).close();
    expect(server.to('/v1/auth/approle/login')[0]?.body).toEqual({ role_id: 'role', secret_id: 'secret' });
    expect(server.to('/v1/auth/apps/login')[0]?.body).toEqual({ role_id: 'role' });
    const wrappedSecretId = { token: 't', creationPath: 'p' };
    expect(() => appRoleAuth({ roleId: 'r', secretId: 's', wrappedSecretId })).toThrow(/^wrappedSecretId:/);
    expect(() => appRoleAuth({ roleId: '' })).toThrow(/^roleId:/);
  });

  test('by a wrapped secret id checks the path of its creation, and opens it once for all logins', async () => {
    const answer = server.handler;
    const creationPath = 'auth/approle/role/app/secret-id';
    server.handler = (request, response) => {
      if (request.path.endsWith('/wrapping/lookup')) {
        return reply(response, 200, { data: { creation_path: creationPath, creation_ttl: 60 } });
      }
      if (request.path.endsWith('/wrapping/unwrap')) return reply(response, 200, { data: { secret_id: 'inside' } });
      answer(request, response);
    };
    const token = 'hvs.wrapping';
    const client = await open(appRoleAuth({ roleId: 'role', wrappedSecretId: { token, creationPath } }));
    await client.rotateToken();
    await client.close();
    const login = { role_id: 'role', secret_id: 'inside' };
    expect(server.to('/v1/auth/approle/login').map(({ body }) => body)).toEqual([login, login]);
    expect(server.to('/v1/sys/wrapping/unwrap')).toHaveLength(1);
    const other = appRoleAuth({
      roleId: 'role',
      wrappedSecretId: { token, creationPath: 'auth/approle/role/x/secret-id' },
    });
    await expect(open(other)).rejects.toMatchObject({ code: 'wrapping-mismatch', retryable: false });
    expect(server.to('/v1/sys/wrapping/unwrap')).toHaveLength(1);
  });

  test('by a JWT-SVID asks the source for one of the audience at every login', async () => {
    const asked: unknown[] = [];
    const source = {
      fetchJwtSvid({ audience }: { audience: string }) {
        asked.push(audience);
        return Promise.resolve({ token: new Secret(`svid-${asked.length}`) });
      },
    };
    const client = await open(jwtAuth({ role: 'r', source, audience: 'https://vault.example' }));
    await client.rotateToken();
    await client.close();
    expect(asked).toEqual(['https://vault.example', 'https://vault.example']);
    const sent = server.to('/v1/auth/jwt/login').map(({ body }) => body.jwt);
    expect(sent).toEqual(['svid-1', 'svid-2']);
    expect(() => jwtAuth({ role: 'r', source, audience: '' })).toThrow(/^audience:/);
  });

  test('by a service account does not send a token that is for another audience', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sa-'));
    const tokenFile = join(folder, 'token');
    const jwtFor = (aud: unknown): string =>
      `e30.${Buffer.from(JSON.stringify({ aud })).toString('base64url')}.signature`;
    const auth = kubernetesAuth({ role: 'r', tokenFile, audience: 'vault' });
    for (const jwt of [jwtFor('https://kubernetes.default.svc'), jwtFor(undefined), 'no-jwt']) {
      writeFileSync(tokenFile, jwt);
      await expect(open(auth)).rejects.toMatchObject({ code: 'login-incomplete', retryable: false });
    }
    expect(server.requests).toEqual([]);
    for (const aud of ['vault', ['other', 'vault']]) {
      writeFileSync(tokenFile, jwtFor(aud));
      await (await open(auth)).close();
    }
    expect(server.to('/v1/auth/kubernetes/login')).toHaveLength(2);
    rmSync(folder, { recursive: true });
  });
});
