import { afterAll, beforeAll, expect, test } from 'vitest';
import { AuthorityUnderTest } from '../authority-under-test.ts';

let vault: AuthorityUnderTest;
let nobody: string;
beforeAll(async () => {
  vault = await AuthorityUnderTest.open();
  await vault.must('POST', 'sys/mounts/database', { type: 'database' });
  await vault.must('POST', 'sys/mounts/pki', { type: 'pki' });
  await vault.must('POST', 'sys/auth/jwt', { type: 'jwt' });
  await vault.must('POST', 'sys/auth/kubernetes', { type: 'kubernetes' });
  await vault.must('POST', 'secret/data/there', { data: { a: 1 } });
  nobody = await vault.tokenWith(['nothing']);
});
afterAll(() => vault[Symbol.asyncDispose]());

/** Every route but the open ones. */
const GUARDED: readonly [method: string, path: string][] = [
  ['GET', 'secret/data/there'],
  ['POST', 'secret/data/there'],
  ['PATCH', 'secret/data/there'],
  ['DELETE', 'secret/data/there'],
  ['POST', 'secret/delete/there'],
  ['POST', 'secret/undelete/there'],
  ['PUT', 'secret/destroy/there'],
  ['GET', 'secret/metadata/there'],
  ['POST', 'secret/metadata/there'],
  ['DELETE', 'secret/metadata/there'],
  ['LIST', 'secret/metadata'],
  ['GET', 'secret/config'],
  ['POST', 'secret/config'],
  ['GET', 'database/creds/r'],
  ['GET', 'database/config/c'],
  ['POST', 'database/config/c'],
  ['DELETE', 'database/config/c'],
  ['LIST', 'database/config'],
  ['POST', 'database/reset/c'],
  ['GET', 'database/roles/r'],
  ['POST', 'database/roles/r'],
  ['DELETE', 'database/roles/r'],
  ['LIST', 'database/roles'],
  ['POST', 'pki/root/generate/internal'],
  ['DELETE', 'pki/root'],
  ['POST', 'pki/config/ca'],
  ['POST', 'pki/issue/r'],
  ['POST', 'pki/sign/r'],
  ['POST', 'pki/revoke'],
  ['LIST', 'pki/certs'],
  ['GET', 'pki/roles/r'],
  ['POST', 'pki/roles/r'],
  ['DELETE', 'pki/roles/r'],
  ['LIST', 'pki/roles'],
  ['GET', 'auth/jwt/config'],
  ['POST', 'auth/jwt/config'],
  ['GET', 'auth/jwt/role/r'],
  ['POST', 'auth/jwt/role/r'],
  ['LIST', 'auth/jwt/role'],
  ['GET', 'auth/kubernetes/config'],
  ['POST', 'auth/kubernetes/config'],
  ['POST', 'auth/kubernetes/role/r'],
  ['LIST', 'auth/kubernetes/role'],
  ['POST', 'auth/token/create'],
  ['POST', 'auth/token/create-orphan'],
  ['GET', 'auth/token/lookup-self'],
  ['POST', 'auth/token/lookup'],
  ['POST', 'auth/token/lookup-accessor'],
  ['POST', 'auth/token/renew-self'],
  ['POST', 'auth/token/renew'],
  ['POST', 'auth/token/revoke-self'],
  ['POST', 'auth/token/revoke'],
  ['POST', 'auth/token/revoke-accessor'],
  ['POST', 'auth/token/revoke-orphan'],
  ['LIST', 'auth/token/accessors'],
  ['GET', 'sys/mounts'],
  ['POST', 'sys/mounts/x'],
  ['DELETE', 'sys/mounts/secret'],
  ['GET', 'sys/mounts/secret/tune'],
  ['GET', 'sys/auth'],
  ['POST', 'sys/auth/x'],
  ['DELETE', 'sys/auth/jwt'],
  ['LIST', 'sys/policies/acl'],
  ['GET', 'sys/policies/acl/default'],
  ['PUT', 'sys/policies/acl/x'],
  ['DELETE', 'sys/policies/acl/x'],
  ['GET', 'sys/policy'],
  ['PUT', 'sys/policy/x'],
  ['POST', 'sys/capabilities-self'],
  ['PUT', 'sys/leases/lookup'],
  ['LIST', 'sys/leases/lookup/database'],
  ['PUT', 'sys/leases/renew'],
  ['PUT', 'sys/leases/revoke'],
  ['PUT', 'sys/leases/revoke-prefix/database'],
  ['PUT', 'sys/leases/revoke-force/database'],
  ['GET', 'sys/leases/count'],
  ['GET', 'sys/leases'],
  ['GET', 'sys/audit'],
  ['POST', 'sys/audit/file'],
  ['POST', 'sys/audit-hash/file'],
  ['GET', 'sys/metrics'],
  ['GET', 'sys/plugins/catalog'],
  ['GET', 'sys/plugins/catalog/database'],
  ['POST', 'sys/dev/rotate-x509'],
  ['POST', 'sys/dev/service-account-token'],
  ['GET', 'nosuch/path'],
  ['GET', 'secret/data/not-there'],
  ['POST', 'sys/nosuch'],
];

test.each(GUARDED)(
  '%s %s is refused without a policy that allows it, in the same words whether it exists or not',
  async (method, path) => {
    const answer = await vault.call(method, path, {
      token: nobody,
      ...(method === 'GET' || method === 'LIST' ? {} : { body: {} }),
    });
    expect([answer.status, answer.body]).toEqual([403, { errors: ['1 error occurred:\n\t* permission denied\n\n'] }]);
  },
);

test.each(GUARDED)('%s %s is refused without a token and with an unknown one', async (method, path) => {
  for (const token of [undefined, 'hvs.unknown']) {
    const answer = await vault.call(method, path, token === undefined ? {} : { token });
    expect([answer.status, answer.body]).toEqual([403, { errors: ['permission denied'] }]);
  }
});

test('what a policy allows works, and one capability is not another', async () => {
  await vault.must('PUT', 'sys/policies/acl/reader', { policy: 'path "secret/data/th*" { capabilities = ["read"] }' });
  const token = await vault.tokenWith(['reader']);
  expect((await vault.call('GET', 'secret/data/there', { token })).status).toBe(200);
  expect((await vault.call('POST', 'secret/data/there', { token, body: { data: {} } })).status).toBe(403);
  expect((await vault.call('GET', 'secret/metadata/there', { token })).status).toBe(403);
});

test('create and update are told apart by whether the secret is there', async () => {
  await vault.must('PUT', 'sys/policies/acl/creator', { policy: 'path "secret/data/*" { capabilities = ["create"] }' });
  const token = await vault.tokenWith(['creator']);
  expect((await vault.call('POST', 'secret/data/fresh', { token, body: { data: { a: 1 } } })).status).toBe(200);
  expect((await vault.call('POST', 'secret/data/fresh', { token, body: { data: { a: 2 } } })).status).toBe(403);
});

test('a policy that changes counts for tokens that are out already', async () => {
  await vault.must('PUT', 'sys/policies/acl/fickle', {
    policy: 'path "secret/data/there" { capabilities = ["read"] }',
  });
  const token = await vault.tokenWith(['fickle']);
  expect((await vault.call('GET', 'secret/data/there', { token })).status).toBe(200);
  await vault.must('PUT', 'sys/policies/acl/fickle', {
    policy: 'path "secret/data/there" { capabilities = ["deny"] }',
  });
  expect((await vault.call('GET', 'secret/data/there', { token })).status).toBe(403);
});

test('paths that need sudo are closed to a policy without it', async () => {
  const caps = (extra: string): string =>
    `path "sys/*" { capabilities = ["create", "read", "update", "delete", "list"${extra}] }`;
  await vault.must('PUT', 'sys/policies/acl/plain', { policy: caps('') });
  await vault.must('PUT', 'sys/policies/acl/super', { policy: caps(', "sudo"') });
  const [plain, superuser] = [await vault.tokenWith(['plain']), await vault.tokenWith(['super'])];
  expect((await vault.call('GET', 'sys/audit', { token: superuser })).status).toBe(200);
  expect((await vault.call('GET', 'sys/audit', { token: plain })).status).toBe(403);
  expect((await vault.call('GET', 'sys/mounts', { token: plain })).status).toBe(200);
});

test('whoever may read below a mount may ask where it begins, and nobody else', async () => {
  await vault.must('PUT', 'sys/policies/acl/below', { policy: 'path "secret/data/th*" { capabilities = ["read"] }' });
  const [reader, path] = [await vault.tokenWith(['below']), 'sys/internal/ui/mounts/secret/there'];
  expect((await vault.call('GET', path, { token: reader })).data).toMatchObject({
    path: 'secret/',
    options: { version: '2' },
  });
  expect((await vault.call('GET', path, { token: nobody })).status).toBe(403);
  expect((await vault.call('GET', 'sys/internal/ui/mounts/database/x', { token: reader })).status).toBe(403);
  expect((await vault.call('GET', path)).status).toBe(403);
});

test('the control API wants root, not merely a policy', async () => {
  await vault.must('PUT', 'sys/policies/acl/all', {
    policy: 'path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }',
  });
  const token = await vault.tokenWith(['all']);
  const body = { namespace: 'n', name: 'a', audiences: ['x'] };
  expect((await vault.root('POST', 'sys/dev/service-account-token', body)).status).toBe(200);
  expect((await vault.call('POST', 'sys/dev/service-account-token', { token, body })).status).toBe(403);
});
