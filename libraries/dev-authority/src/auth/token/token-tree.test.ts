import { afterAll, beforeAll, expect, test } from 'vitest';
import { AuthorityUnderTest } from '../../authority-under-test.ts';

let vault: AuthorityUnderTest;
beforeAll(async () => {
  vault = await AuthorityUnderTest.open();
  await vault.must('PUT', 'sys/policies/acl/parent', {
    policy: `path "auth/token/create" { capabilities = ["update"] }
             path "auth/token/lookup-self" { capabilities = ["read"] }
             path "auth/token/renew-self" { capabilities = ["update"] }
             path "auth/token/revoke-self" { capabilities = ["update"] }`,
  });
});
afterAll(() => vault[Symbol.asyncDispose]());

const lives = async (token: string): Promise<boolean> =>
  (await vault.call('GET', 'auth/token/lookup-self', { token })).status === 200;

async function childOf(token: string, body: Record<string, unknown> = {}): Promise<string> {
  const answer = await vault.call('POST', 'auth/token/create', { token, body });
  expect(answer.status, answer.text).toBe(200);
  return String(answer.auth.client_token);
}

test('a token takes its descendants along, and nobody else', async () => {
  const first = await vault.tokenWith(['parent']);
  const child = await childOf(first);
  const grandchild = await childOf(child);
  const other = await vault.tokenWith(['parent']);
  expect(await Promise.all([first, child, grandchild, other].map(lives))).toEqual([true, true, true, true]);
  expect((await vault.call('PUT', 'auth/token/revoke-self', { token: first })).status).toBe(204);
  expect(await Promise.all([first, child, grandchild, other].map(lives))).toEqual([false, false, false, true]);
});

test('an orphan and the children of an orphaning revocation live on', async () => {
  const first = await vault.tokenWith(['parent']);
  const child = await childOf(first);
  const orphan = await vault.must('POST', 'auth/token/create-orphan', { policies: ['parent'], ttl: '1h' });
  expect(orphan.auth.orphan).toBe(true);
  await vault.must('POST', 'auth/token/revoke-orphan', { token: first });
  expect(await lives(first)).toBe(false);
  expect(await lives(child)).toBe(true);
});

test('a child can do no more than its parent', async () => {
  const parent = await vault.tokenWith(['parent']);
  expect(await childOf(parent, { policies: ['parent'] })).toMatch(/^hvs\./);
  for (const policies of [['other'], ['root'], ['parent', 'other']]) {
    const answer = await vault.call('POST', 'auth/token/create', { token: parent, body: { policies } });
    expect(answer.status).toBe(400);
  }
  for (const body of [{ period: '1h' }, { no_parent: true }, { id: 'mine' }]) {
    expect((await vault.call('POST', 'auth/token/create', { token: parent, body })).status).toBe(400);
  }
});

test('a token is found, renewed and revoked by its accessor, which does not show the token', async () => {
  const { auth } = await vault.must('POST', 'auth/token/create', { policies: ['parent'], ttl: '1h' });
  const { accessor } = auth;
  const found = await vault.must('POST', 'auth/token/lookup-accessor', { accessor });
  expect(found.data).toMatchObject({ accessor, id: '', creation_ttl: 3600, policies: ['default', 'parent'] });
  expect((await vault.must('POST', 'auth/token/renew-accessor', { accessor })).auth.lease_duration).toBe(3600);
  expect((await vault.root('POST', 'auth/token/revoke-accessor', { accessor })).status).toBe(204);
  expect(await lives(String(auth.client_token))).toBe(false);
  expect((await vault.root('POST', 'auth/token/lookup-accessor', { accessor })).status).toBe(400);
});

test('a renewal stops at the explicit maximum and says so', async () => {
  const token = await vault.tokenWith(['parent'], { ttl: '10s', explicit_max_ttl: '60s' });
  const plain = await vault.call('PUT', 'auth/token/renew-self', { token, body: { increment: '20s' } });
  expect([plain.auth.lease_duration, plain.body.warnings]).toEqual([20, null]);
  const capped = await vault.call('PUT', 'auth/token/renew-self', { token, body: { increment: '1h' } });
  expect(Number(capped.auth.lease_duration)).toBeLessThanOrEqual(60);
  expect(capped.body.warnings).toEqual([expect.stringContaining('TTL of "1h" exceeded the effective max_ttl')]);
});

test('a token that may not be renewed is refused, root among them', async () => {
  const token = await vault.tokenWith(['parent'], { renewable: false });
  const refused = await vault.call('PUT', 'auth/token/renew-self', { token, body: {} });
  expect([refused.status, refused.body]).toEqual([400, { errors: ['lease is not renewable'] }]);
  expect((await vault.root('PUT', 'auth/token/renew-self', {})).status).toBe(400);
});

test('a token with a number of uses ends after the last', async () => {
  const token = await vault.tokenWith(['parent'], { num_uses: 2 });
  expect([await lives(token), await lives(token), await lives(token)]).toEqual([true, true, false]);
});

test('a token ends at its time, without anybody asking', async () => {
  const token = await vault.tokenWith(['parent'], { ttl: 1 });
  expect(await lives(token)).toBe(true);
  await expect.poll(() => lives(token), { timeout: 3_000, interval: 100 }).toBe(false);
  const revoked = (await vault.auditLines()).filter((line) => line.event === 'token.revoked');
  expect(revoked.length).toBeGreaterThan(0);
});
