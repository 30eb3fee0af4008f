import { generateKeyPairSync, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuthorityUnderTest, type WireAnswer } from '../../authority-under-test.ts';

const ACCOUNT = { namespace: 'apps', name: 'worker' };
let vault: AuthorityUnderTest;
beforeAll(async () => {
  vault = await AuthorityUnderTest.open();
  await vault.must('POST', 'sys/auth/kubernetes', { type: 'kubernetes' });
  await vault.must('POST', 'auth/kubernetes/config', {
    kubernetes_host: vault.authority.address,
    kubernetes_ca_cert: vault.authority.caPem,
    disable_local_ca_jwt: true,
  });
  await vault.must('POST', 'auth/kubernetes/role/worker', ROLE);
});
afterAll(() => vault[Symbol.asyncDispose]());

const ROLE = {
  bound_service_account_names: ['worker'],
  bound_service_account_namespaces: ['apps'],
  audience: 'vault',
  token_policies: ['app'],
  token_ttl: '60s',
};

async function token(changes: Record<string, unknown> = {}): Promise<string> {
  const { data } = await vault.must('POST', 'sys/dev/service-account-token', {
    ...ACCOUNT,
    audiences: ['vault'],
    ttl: 60,
    ...changes,
  });
  return String(data.token);
}

const logIn = (jwt: string, role = 'worker'): Promise<WireAnswer> =>
  vault.call('POST', 'auth/kubernetes/login', { body: { role, jwt } });

test('a service account that the cluster vouches for gets what its role says', async () => {
  const { status, auth } = await logIn(await token());
  expect(status).toBe(200);
  expect(auth).toMatchObject({
    policies: ['app', 'default'],
    lease_duration: 60,
    metadata: {
      role: 'worker',
      service_account_name: 'worker',
      service_account_namespace: 'apps',
      service_account_uid: expect.any(String),
    },
  });
});

test('a reviewer with a token of its own asks for all', async () => {
  await vault.must('POST', 'sys/auth/reviewed', { type: 'kubernetes' });
  await vault.must('POST', 'auth/reviewed/config', {
    kubernetes_host: vault.authority.address,
    kubernetes_ca_cert: vault.authority.caPem,
    token_reviewer_jwt: await token({ namespace: 'vault', name: 'reviewer', audiences: ['kubernetes'] }),
  });
  await vault.must('POST', 'auth/reviewed/role/worker', ROLE);
  const jwt = await token();
  expect((await vault.call('POST', 'auth/reviewed/login', { body: { role: 'worker', jwt } })).status).toBe(200);
});

describe('refused is', () => {
  test('another account, another namespace, another audience', async () => {
    for (const changes of [{ name: 'other' }, { namespace: 'other' }, { audiences: ['other'] }]) {
      const answer = await logIn(await token(changes));
      expect([JSON.stringify(changes), answer.status]).toEqual([JSON.stringify(changes), 403]);
    }
  });

  test('an expired token', async () => {
    const jwt = await token({ ttl: 1 });
    expect((await logIn(jwt)).status).toBe(200);
    await expect.poll(async () => (await logIn(jwt)).status, { timeout: 3_000, interval: 100 }).toBe(403);
  });

  test('a token that says the right things and is signed by another', async () => {
    const [header, claims] = (await token()).split('.');
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const signature = sign('sha256', Buffer.from(`${header}.${claims}`), {
      key: privateKey,
      dsaEncoding: 'ieee-p1363',
    });
    const answer = await logIn(`${header}.${claims}.${signature.toString('base64url')}`);
    expect([answer.status, answer.body]).toEqual([403, { errors: ['permission denied'] }]);
  });

  test('an unknown role, a missing field, no token', async () => {
    expect((await logIn(await token(), 'none')).body).toEqual({ errors: ['invalid role name "none"'] });
    expect((await vault.call('POST', 'auth/kubernetes/login', { body: { role: 'worker' } })).body).toEqual({
      errors: ['missing jwt'],
    });
    expect((await logIn('a.b.c')).status).toBe(400);
  });

  test('everybody, when the cluster does not answer', async () => {
    await vault.must('POST', 'sys/auth/dead', { type: 'kubernetes' });
    await vault.must('POST', 'auth/dead/config', {
      kubernetes_host: 'https://127.0.0.1:1',
      kubernetes_ca_cert: vault.authority.caPem,
    });
    await vault.must('POST', 'auth/dead/role/worker', ROLE);
    const jwt = await token();
    expect((await vault.call('POST', 'auth/dead/login', { body: { role: 'worker', jwt } })).status).toBe(500);
  });
});

describe('the TokenReview endpoint', () => {
  const review = (bearer: string | undefined, spec: unknown): Promise<WireAnswer> =>
    vault.call('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec },
      headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
    });

  test('says who it is and for which of the asked audiences', async () => {
    const jwt = await token({ audiences: ['vault', 'other'] });
    const { status, body } = await review(jwt, { token: jwt, audiences: ['vault', 'third'] });
    expect(status).toBe(201);
    expect(body.status).toMatchObject({
      authenticated: true,
      user: { username: 'system:serviceaccount:apps:worker' },
      audiences: ['vault'],
    });
  });

  test('says no to a token for others, and answers nobody who is unknown', async () => {
    const jwt = await token();
    expect((await review(jwt, { token: jwt, audiences: ['other'] })).body.status).toMatchObject({
      authenticated: false,
    });
    expect((await review(undefined, { token: jwt })).status).toBe(401);
    expect((await review(vault.authority.rootToken, { token: jwt })).status).toBe(401);
  });
});

test('accounts keep their uid and old tokens across a restart', async () => {
  const jwt = await token();
  const before = (await logIn(jwt)).auth;
  await vault.restart();
  await vault.must('POST', 'auth/kubernetes/config', {
    kubernetes_host: vault.authority.address,
    kubernetes_ca_cert: vault.authority.caPem,
  });
  const after = (await logIn(jwt)).auth;
  expect([after.metadata, after.entity_id]).toEqual([before.metadata, before.entity_id]);
});
