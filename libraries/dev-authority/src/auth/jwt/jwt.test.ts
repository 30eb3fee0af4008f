import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuthorityUnderTest, type WireAnswer } from '../../authority-under-test.ts';

const ISSUER = 'https://issuer.test';
const SUBJECT = 'spiffe://neural-hive.local/app';
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pemOf = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();

let vault: AuthorityUnderTest;
beforeAll(async () => {
  vault = await AuthorityUnderTest.open();
  await vault.must('POST', 'sys/auth/jwt', { type: 'jwt' });
  const keys = [pemOf(pair.publicKey), pemOf(rsa.publicKey)];
  await vault.must('POST', 'auth/jwt/config', { jwt_validation_pubkeys: keys, bound_issuer: ISSUER });
  await vault.must('POST', 'auth/jwt/role/app', ROLE);
});
afterAll(() => vault[Symbol.asyncDispose]());

const ROLE = {
  role_type: 'jwt',
  user_claim: 'sub',
  bound_audiences: ['vault'],
  bound_subject: SUBJECT,
  clock_skew_leeway: -1,
  token_ttl: '60s',
  token_max_ttl: '90s',
  token_policies: ['app'],
};

function base64url(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function claims(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000);
  return { iss: ISSUER, sub: SUBJECT, aud: ['vault'], iat: now, exp: now + 60, ...changes };
}

function token(
  changes: Record<string, unknown> = {},
  { key = pair.privateKey, header = {} }: { key?: KeyObject; header?: object } = {},
): string {
  const signed = `${base64url({ alg: 'ES256', ...header })}.${base64url(claims(changes))}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

const logIn = (jwt: string, role = 'app'): Promise<WireAnswer> =>
  vault.call('POST', 'auth/jwt/login', { body: { role, jwt } });

test('a good token gets what its role says', async () => {
  const { status, auth } = await logIn(token());
  expect(status).toBe(200);
  expect(auth).toMatchObject({
    policies: ['app', 'default'],
    lease_duration: 60,
    renewable: true,
    orphan: true,
    metadata: { role: 'app' },
  });
  const self = await vault.call('GET', 'auth/token/lookup-self', { token: String(auth.client_token) });
  expect(self.data).toMatchObject({
    path: 'auth/jwt/login',
    display_name: `jwt-${SUBJECT}`,
    entity_id: auth.entity_id,
  });
  expect((await logIn(token())).auth.entity_id).toBe(auth.entity_id);
});

test('an RSA key works with the algorithms of RSA', async () => {
  const signed = `${base64url({ alg: 'RS256' })}.${base64url(claims())}`;
  expect(
    (await logIn(`${signed}.${sign('sha256', Buffer.from(signed), rsa.privateKey).toString('base64url')}`)).status,
  ).toBe(200);
});

describe('refused is', () => {
  const now = Math.floor(Date.now() / 1000);
  const signed = `${base64url({ alg: 'HS256' })}.${base64url(claims())}`;
  const confused = `${signed}.${createHmac('sha256', pemOf(pair.publicKey)).update(signed).digest('base64url')}`;
  test.each<[what: string, jwt: string, rule: RegExp]>([
    ['another audience', token({ aud: ['other'] }), /invalid audience/],
    ['no audience', token({ aud: undefined }), /invalid audience/],
    ['another issuer', token({ iss: 'https://other' }), /invalid issuer/],
    ['another subject', token({ sub: 'spiffe://neural-hive.local/other' }), /invalid subject/],
    ['an expired token', token({ iat: now - 100, exp: now - 1 }), /token is expired/],
    ['a token of the future', token({ nbf: now + 100 }), /not yet valid/],
    ['a token without any time', token({ iat: undefined, exp: undefined }), /no issued at/],
    ['a signature by another key', token({}, { key: stranger.privateKey }), /no known key/],
    [
      'a changed claim',
      token().replace(/\.[^.]+\./, `.${base64url(claims({ sub: SUBJECT, admin: true }))}.`),
      /no known key/,
    ],
    ['the algorithm none', `${base64url({ alg: 'none' })}.${base64url(claims())}.`, /no known key/],
    ['an HMAC with the public key', confused, /no known key/],
    ['an algorithm of another key type', token({}, { header: { alg: 'RS256' } }), /no known key/],
    ['a critical extension', token({}, { header: { crit: ['b64'] } }), /no known key/],
    ['no token at all', 'a.b', /three parts/],
  ])('%s', async (_what, jwt, rule) => {
    const answer = await logIn(jwt);
    expect([answer.status, answer.text]).toEqual([400, expect.stringMatching(rule)]);
    expect(answer.text).not.toContain(jwt.slice(0, 40));
  });

  test('an unknown role, and a role or token that is missing', async () => {
    expect((await logIn(token(), 'none')).body).toEqual({ errors: ['role "none" could not be found'] });
    expect((await vault.call('POST', 'auth/jwt/login', { body: { role: 'app' } })).body).toEqual({
      errors: ['missing token'],
    });
    expect((await vault.call('POST', 'auth/jwt/login', { body: { jwt: 'x' } })).body).toEqual({
      errors: ['missing role'],
    });
  });

  test('a role that would let anybody in, or give root', async () => {
    expect((await vault.root('POST', 'auth/jwt/role/open', { role_type: 'jwt', user_claim: 'sub' })).status).toBe(400);
    await vault.must('POST', 'auth/jwt/role/root', { ...ROLE, token_policies: ['root'] });
    expect((await logIn(token(), 'root')).body).toEqual({ errors: ['auth methods cannot create root tokens'] });
  });
});

test('the authority vouches for its own SPIFFE issuer, by name and by address', async () => {
  await vault.must('POST', 'sys/auth/own', { type: 'jwt' });
  const own = { provider_config: { provider: 'spiffe' }, bound_issuer: ISSUER };
  expect((await vault.root('POST', 'auth/own/config', own)).status).toBe(204);
  const jwks_url = `${vault.authority.address}/v1/sys/dev/spiffe-jwks`;
  expect((await vault.root('POST', 'auth/own/config', { jwks_url, jwks_ca_pem: vault.authority.caPem })).status).toBe(
    204,
  );
  expect((await vault.root('POST', 'auth/own/config', { jwks_url })).body).toEqual({
    errors: ['error checking jwks URL'],
  });
  expect((await vault.root('POST', 'auth/own/config', { ...own, jwks_url })).status).toBe(400);
});

test('renewal ends at the maximum of the role', async () => {
  const { auth } = await logIn(token());
  const renewed = await vault.call('PUT', 'auth/token/renew-self', {
    token: String(auth.client_token),
    body: { increment: '10m' },
  });
  expect(Number(renewed.auth.lease_duration)).toBeLessThanOrEqual(90);
  expect(renewed.body.warnings).not.toBeNull();
});
