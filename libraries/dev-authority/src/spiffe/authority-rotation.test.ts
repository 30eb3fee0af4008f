import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JwtBundle, verifyX509Svid, WorkloadApiClient, type X509Context } from '@neural-hive/security/spiffe';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AuthorityUnderTest } from '../authority-under-test.ts';

const TRUST_DOMAIN = 'neural-hive.local';
const WORKLOADS = ['one', 'two'] as const;
const WAIT = { timeout: 30_000 };
let folder: string;
let vault: AuthorityUnderTest;
let stop: AbortController;
const clients: WorkloadApiClient[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'da-rotation-'));
  stop = new AbortController();
  vault = await AuthorityUnderTest.open({
    // No SVID is replaced by the clock while a test counts.
    x509TtlSeconds: 3_600,
    jwtTtlSeconds: 3_600,
    workloads: WORKLOADS.map((name) => ({
      socketPath: join(folder, `${name}.sock`),
      spiffeId: `spiffe://${TRUST_DOMAIN}/${name}`,
    })),
  });
});
afterEach(async () => {
  stop.abort();
  for (const client of clients.splice(0)) client.close();
  await vault[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const step = async (path: string, body: unknown = {}) =>
  (await vault.must('POST', `sys/dev/spiffe-authorities/${path}`, body)).data;

function clientOf(name: string): WorkloadApiClient {
  const client = new WorkloadApiClient({ endpoint: `unix://${join(folder, `${name}.sock`)}` });
  clients.push(client);
  return client;
}

/** Every update of a workload's streams, in their order. */
function watched(name: string) {
  const client = clientOf(name);
  const seen = { contexts: [] as X509Context[], roots: [] as number[], jwt: [] as string[][] };
  const keyIds = (bundle: JwtBundle | undefined): string[] => (bundle?.keys ?? []).map(({ kid }) => kid ?? '');
  const opened = [
    client.watchX509Context({ update: (context) => seen.contexts.push(context) }, { signal: stop.signal }),
    client.watchX509Bundles(
      { update: (bundles) => seen.roots.push(bundles.get(TRUST_DOMAIN)?.authorities.length ?? 0) },
      { signal: stop.signal },
    ),
    client.watchJwtBundles(
      { update: (bundles) => seen.jwt.push(keyIds(bundles.get(TRUST_DOMAIN))) },
      { signal: stop.signal },
    ),
  ];
  for (const watch of opened) void watch.catch(() => undefined);
  return seen;
}

const issuedBy = (context: X509Context | undefined, of: X509Context | undefined): boolean => {
  const bundle = of?.bundles.get(TRUST_DOMAIN);
  if (context === undefined || bundle === undefined) return false;
  try {
    verifyX509Svid(context.svids[0].certificates, { getX509Bundle: () => bundle });
    return true;
  } catch {
    return false;
  }
};

test('every open stream of every workload hears of a new X.509 authority before its first SVID, and of the end of the old one after its last', async () => {
  const streams = WORKLOADS.map(watched);
  for (const { contexts, roots, jwt } of streams)
    await expect.poll(() => [contexts.length, roots.length, jwt.length], WAIT).toEqual([1, 1, 1]);
  const [before] = streams.map(({ contexts }) => contexts[0]);
  const { authority_id: next } = await step('x509/prepare');
  for (const { contexts, roots } of streams) {
    await expect.poll(() => [contexts.length, roots.at(-1)], WAIT).toEqual([2, 2]);
    expect(issuedBy(contexts[1], before), 'the new one signs nothing yet').toBe(true);
  }
  expect(await step('x509/activate', { authority_id: next })).toMatchObject({ authority_id: next, status: 'active' });
  // Tainting the old one replaces whatever it signed.
  const { authority_id: old } = await step('x509/taint');
  for (const { contexts } of streams) {
    await expect.poll(() => contexts.length, WAIT).toBe(3);
    expect(issuedBy(contexts[2], before)).toBe(false);
    expect(issuedBy(contexts[2], contexts[1]), 'the bundle was there first').toBe(true);
  }
  await step('x509/revoke', { authority_id: old });
  for (const { contexts, roots } of streams) {
    await expect.poll(() => [contexts.length, roots.at(-1)], WAIT).toEqual([4, 1]);
    expect(issuedBy(contexts[3], contexts[3])).toBe(true);
    expect(issuedBy(contexts[0], contexts[3])).toBe(false);
  }
});

test('JWT bundles on streams, at /keys and for the login follow a new JWT authority', async () => {
  const seen = watched('one');
  await expect.poll(() => seen.jwt.length, WAIT).toBe(1);
  const keyIds = async () => {
    const { keys } = (await vault.call('GET', '/keys')).body as { keys: { kid: string }[] };
    return keys.map(({ kid }) => kid);
  };
  const tokenOf = async () => (await clientOf('one').fetchJwtSvids({ audience: ['vault'] }))[0].token.reveal();
  const kidOf = (token: string): unknown =>
    (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: unknown }).kid;
  const [first] = await keyIds();
  const earlier = await tokenOf();
  expect(kidOf(earlier)).toBe(first);
  const { authority_id: second } = await step('jwt/rotate');
  expect(await keyIds()).toEqual([first, second]);
  await expect.poll(() => seen.jwt.at(-1), WAIT).toEqual([first, second]);
  expect(kidOf(await tokenOf())).toBe(second);

  await vault.must('POST', 'sys/auth/jwt', { type: 'jwt' });
  await vault.must('POST', 'auth/jwt/config', { provider_config: { provider: 'spiffe' } });
  const role = { role_type: 'jwt', user_claim: 'sub', bound_audiences: ['vault'] };
  await vault.must('POST', 'auth/jwt/role/app', role);
  const login = async (jwt: string) =>
    (await vault.call('POST', 'auth/jwt/login', { body: { role: 'app', jwt } })).status;
  expect([await login(earlier), await login(await tokenOf())]).toEqual([200, 200]);
  await step('jwt/taint');
  await step('jwt/revoke');
  expect(await keyIds()).toEqual([second]);
  await expect.poll(() => seen.jwt.at(-1), WAIT).toEqual([second]);
  expect([await login(earlier), await login(await tokenOf())]).toEqual([400, 200]);
});

test('authorities of a rotation are there after a restart, with the number of their bundle', async () => {
  await step('x509/rotate');
  await step('jwt/prepare');
  const shown = (await vault.must('GET', 'sys/dev/spiffe-authorities')).data;
  const states = (list: unknown): unknown[] => (list as { status: string }[]).map(({ status }) => status);
  expect([states(shown.x509), states(shown.jwt)]).toEqual([
    ['old', 'active'],
    ['active', 'prepared'],
  ]);
  await vault.restart();
  expect((await vault.must('GET', 'sys/dev/spiffe-authorities')).data).toEqual(shown);
});

test('a step out of order is refused with 400, an unknown one with 404, and nobody without the root token takes any', async () => {
  const attempt = async (path: string) => (await vault.root('POST', `sys/dev/spiffe-authorities/${path}`)).status;
  expect(await attempt('x509/prepare'), 'positive control').toBe(200);
  expect([await attempt('x509/revoke'), await attempt('jwt/activate'), await attempt('jwt/taint')]).toEqual([
    400, 400, 400,
  ]);
  expect([await attempt('ssh/prepare'), await attempt('x509/forget')]).toEqual([404, 404]);
  const token = await vault.tokenWith(['default']);
  for (const options of [{}, { token }]) {
    expect((await vault.call('POST', 'sys/dev/spiffe-authorities/x509/activate', options)).status).toBe(403);
    expect((await vault.call('GET', 'sys/dev/spiffe-authorities', options)).status).toBe(403);
  }
  const short = AuthorityUnderTest.open({ authorityTtlSeconds: 60, x509TtlSeconds: 11 });
  await expect(short).rejects.toMatchObject({ code: 'config_invalid' });
});
