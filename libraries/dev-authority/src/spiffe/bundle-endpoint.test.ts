import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Federation,
  fetchBundle,
  TrustDomain,
  verifyJwtSvid,
  verifyX509Svid,
  WorkloadApiClient,
} from '@neural-hive/security/spiffe';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AuthorityUnderTest } from '../authority-under-test.ts';

const DOMAIN = TrustDomain.parse('neural-hive.local');
const ID = 'spiffe://neural-hive.local/app';
const WAIT = { timeout: 30_000 };
let folder: string;
let vault: AuthorityUnderTest;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'da-bundle-'));
  vault = await AuthorityUnderTest.open({
    // No SVID ends while a test runs.
    x509TtlSeconds: 3_600,
    jwtTtlSeconds: 3_600,
    workloads: [{ socketPath: join(folder, 'app.sock'), spiffeId: ID }],
  });
});
afterAll(async () => {
  await vault[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const endpoint = () =>
  ({
    trustDomain: DOMAIN,
    profile: 'https_web',
    url: `${vault.authority.address}/bundle`,
    ca: vault.authority.caPem,
  }) as const;

async function svids() {
  const client = new WorkloadApiClient({ endpoint: `unix://${join(folder, 'app.sock')}` });
  try {
    const [jwt] = await client.fetchJwtSvids({ audience: ['foreign'] });
    return { x509: (await client.fetchX509Context()).svids[0].certificates, jwt: jwt.token.reveal() };
  } finally {
    client.close();
  }
}

const accepts = (federation: Federation, { x509, jwt }: Awaited<ReturnType<typeof svids>>): boolean => {
  try {
    verifyX509Svid(x509, federation);
    verifyJwtSvid(jwt, { bundles: federation, audience: 'foreign' });
    return true;
  } catch {
    return false;
  }
};

test('the bundle is a JSON document with number, hint and keys, open to anybody, and nothing else can be done there', async () => {
  const answer = await vault.call('GET', '/bundle');
  expect([answer.status, answer.contentType]).toEqual([200, 'application/json']);
  const { keys, ...numbers } = answer.body as { keys: { use: string }[] };
  expect(numbers).toEqual({ spiffe_sequence: 1, spiffe_refresh_hint: 300 });
  expect(keys.map(({ use }) => use)).toEqual(['x509-svid', 'jwt-svid']);
  expect(answer.text).not.toMatch(/"d":|PRIVATE/);
  const head = await vault.call('HEAD', '/bundle');
  expect([head.status, head.text]).toEqual([200, '']);
  for (const method of ['POST', 'PUT', 'DELETE'])
    expect((await vault.call(method, '/bundle', { body: {} })).status, method).toBe(405);
  expect((await vault.call('GET', '/bundle/other')).status).toBe(403);
});

test('a federated trust domain sees a rotation from its preparation to the end of the old authorities', async () => {
  const step = (path: string) => vault.must('POST', `sys/dev/spiffe-authorities/${path}`, {});
  await using federation = await Federation.open({
    relationships: [endpoint()],
    minRefreshMs: 50,
    maxRefreshMs: 50,
  });
  const sequence = () => federation.getSpiffeBundle(DOMAIN)?.sequence;
  expect(federation.health()).toMatchObject([{ state: 'healthy', sequence: 1n }]);
  const earlier = await svids();
  expect(accepts(federation, earlier)).toBe(true);

  await step('x509/prepare');
  await step('jwt/prepare');
  await expect.poll(sequence, WAIT).toBe(3n);
  expect(federation.getX509Bundle(DOMAIN)?.authorities).toHaveLength(2);
  await step('x509/rotate');
  await step('jwt/rotate');
  const later = await svids();
  expect([accepts(federation, earlier), accepts(federation, later)]).toEqual([true, true]);

  for (const path of ['x509/taint', 'x509/revoke', 'jwt/taint', 'jwt/revoke']) await step(path);
  await expect.poll(sequence, WAIT).toBe(5n);
  expect([accepts(federation, earlier), accepts(federation, await svids())]).toEqual([false, true]);
});

test('after a restart the same bundle has the same number', async () => {
  const before = await fetchBundle(endpoint());
  await vault.restart();
  expect(await fetchBundle(endpoint())).toEqual(before);
});
