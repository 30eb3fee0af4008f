import { mkdtempSync, rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyJwtSvid, verifyX509Svid, WorkloadApiClient, type X509Context } from '@neural-hive/security/spiffe';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AuthorityUnderTest } from '../authority-under-test.ts';

const APP = 'spiffe://neural-hive.local/ns/apps/sa/app';
const OTHER = 'spiffe://neural-hive.local/ns/apps/sa/other';
let folder: string;
let vault: AuthorityUnderTest;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'da-spiffe-'));
  vault = await AuthorityUnderTest.open({
    x509TtlSeconds: 30,
    jwtTtlSeconds: 20,
    workloads: [
      { socketPath: join(folder, 'app/agent.sock'), spiffeId: APP },
      {
        socketPath: join(folder, 'other.sock'),
        spiffeId: OTHER,
        mode: 0o660,
        ...(process.getuid?.() === 0 ? { gid: 65_534 } : {}),
      },
    ],
  });
});
afterAll(async () => {
  await vault[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

function withClient<T>(socket: string, use: (client: WorkloadApiClient) => Promise<T>): Promise<T> {
  const client = new WorkloadApiClient({ endpoint: `unix://${join(folder, socket)}` });
  return use(client).finally(() => client.close());
}

const contextOf = (socket: string): Promise<X509Context> => withClient(socket, (client) => client.fetchX509Context());

test('each socket gives its own identity, for as long as configured, under one bundle', async () => {
  const app = await contextOf('app/agent.sock');
  const other = await contextOf('other.sock');
  expect([app.svids[0].id.toString(), other.svids[0].id.toString()]).toEqual([APP, OTHER]);
  expect(Math.abs(app.svids[0].expiresAtMs - Date.now() - 30_000)).toBeLessThan(5_000);
  const bundles = { getX509Bundle: () => app.bundles.get('neural-hive.local') };
  expect(verifyX509Svid(other.svids[0].certificates, bundles).id.toString()).toBe(OTHER);
  expect((await stat(join(folder, 'app/agent.sock'))).mode & 0o777).toBe(0o600);
  const socket = await stat(join(folder, 'other.sock'));
  expect(socket.mode & 0o777).toBe(0o660);
  if (process.getuid?.() === 0) expect(socket.gid).toBe(65_534);
});

test('a JWT-SVID has the issuer, audience and life that are configured, and logs in to the Vault API', async () => {
  const issuer = 'https://spire-oidc.neural-hive.local';
  const [svid] = await withClient('app/agent.sock', (client) => client.fetchJwtSvids({ audience: ['vault'] }));
  const bundles = await withClient('app/agent.sock', (client) => client.fetchJwtBundles());
  const verified = verifyJwtSvid(svid.token.reveal(), {
    bundles: { getJwtBundle: (td) => bundles.get(td.name) },
    audience: 'vault',
    issuer,
  });
  expect([verified.id.toString(), verified.expiresAtMs - (verified.issuedAtMs ?? 0)]).toEqual([APP, 20_000]);

  await vault.must('POST', 'sys/auth/jwt', { type: 'jwt' });
  await vault.must('POST', 'auth/jwt/config', { provider_config: { provider: 'spiffe' }, bound_issuer: issuer });
  await vault.must('POST', 'auth/jwt/role/app', {
    role_type: 'jwt',
    user_claim: 'sub',
    bound_audiences: ['vault'],
    bound_subject: APP,
  });
  const login = (jwt: string) => vault.call('POST', 'auth/jwt/login', { body: { role: 'app', jwt } });
  expect((await login(svid.token.reveal())).auth.client_token).toMatch(/^hvs\./);
  const [stranger] = await withClient('other.sock', (client) => client.fetchJwtSvids({ audience: ['vault'] }));
  expect((await login(stranger.token.reveal())).text).toMatch(/invalid subject/);
});

test('a rotation on command is pushed to whoever watches, and to nobody else', async () => {
  const serials = { app: [] as string[], other: [] as string[] };
  const stop = new AbortController();
  const clients: WorkloadApiClient[] = [];
  const seen = (name: keyof typeof serials, socket: string): Promise<void> =>
    new Promise((resolve) => {
      const client = new WorkloadApiClient({ endpoint: `unix://${join(folder, socket)}` });
      clients.push(client);
      const update = ({ svids }: X509Context): void => {
        serials[name].push(Buffer.from(svids[0].certificates[0] ?? []).toString('hex'));
        resolve();
      };
      void client.watchX509Context({ update }, { signal: stop.signal }).catch(() => undefined);
    });
  await Promise.all([seen('app', 'app/agent.sock'), seen('other', 'other.sock')]);
  expect((await vault.must('POST', 'sys/dev/rotate-x509', { spiffe_id: APP })).data).toEqual({ rotated: 1 });
  await expect.poll(() => serials.app.length).toBe(2);
  expect(serials.app[0]).not.toBe(serials.app[1]);
  expect(serials.other).toHaveLength(1);
  expect(await vault.authority.rotateX509()).toBe(2);
  await expect.poll(() => [serials.app.length, serials.other.length]).toEqual([3, 2]);
  expect(
    (await vault.root('POST', 'sys/dev/rotate-x509', { spiffe_id: 'spiffe://neural-hive.local/none' })).status,
  ).toBe(400);
  stop.abort();
  for (const client of clients) client.close();
});

test('SVIDs of before a restart are verified by the bundle of after', async () => {
  const before = await contextOf('app/agent.sock');
  await vault.restart();
  const { bundles } = await contextOf('other.sock');
  const source = { getX509Bundle: () => bundles.get('neural-hive.local') };
  expect(verifyX509Svid(before.svids[0].certificates, source).id.toString()).toBe(APP);
  const { text } = await vault.call('GET', 'sys/dev/spiffe-bundle');
  expect(text).toMatch(/^-----BEGIN CERTIFICATE-----/);
});

test('an identity of another trust domain, or a path too long for a socket, stops the start', async () => {
  const socketPath = join(folder, 'x.sock');
  const foreign = AuthorityUnderTest.open({ workloads: [{ socketPath, spiffeId: 'spiffe://other.test/app' }] });
  await expect(foreign).rejects.toMatchObject({ code: 'config_invalid' });
  const long = AuthorityUnderTest.open({ workloads: [{ socketPath: join(folder, 'x'.repeat(120)), spiffeId: APP }] });
  await expect(long).rejects.toThrow(RangeError);
});
