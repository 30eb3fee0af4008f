import { expect, test } from 'vitest';
import { AuthorityUnderTest } from '../authority-under-test.ts';

test('each request has a line before and a line after, with digests in place of texts', async () => {
  await using vault = await AuthorityUnderTest.open();
  await vault.must('POST', 'secret/data/x', { data: { password: 'hunter2', n: 7 } });
  const lines = (await vault.auditLines()).filter(
    (line) => (line.request as { path?: string } | undefined)?.path === 'secret/data/x',
  );
  expect(lines.map((line) => line.type)).toEqual(['request', 'response']);
  const { hash } = (await vault.must('POST', 'sys/audit-hash/file', { input: 'hunter2' })).data;
  expect(hash).toMatch(/^hmac-sha256:[0-9a-f]{64}$/);
  expect(lines[0]?.request).toMatchObject({ operation: 'create', data: { data: { password: hash, n: 7 } } });
  expect(lines[1]).toMatchObject({ auth: { display_name: 'root', policies: ['root'] }, response: { status: 200 } });
  const { hash: tokenHash } = (await vault.must('POST', 'sys/audit-hash/file', { input: vault.authority.rootToken }))
    .data;
  expect(lines[0]?.auth).toMatchObject({ client_token: tokenHash });
});

test('a refused request is on record too, with its error and no more', async () => {
  await using vault = await AuthorityUnderTest.open();
  await vault.call('GET', 'secret/data/x', { token: 'hvs.aaaaaaaaaaaaaaaaaaaaaaaa' });
  const [request, response] = (await vault.auditLines()).filter((line) => line.type !== 'event').slice(-2);
  expect(request).toMatchObject({ type: 'request', auth: {}, request: { operation: 'read', path: 'secret/data/x' } });
  expect(response).toMatchObject({ type: 'response', response: { status: 403 } });
});

test('lease ids and tokens in a path are digests', async () => {
  await using vault = await AuthorityUnderTest.open();
  const id = 'database/creds/r/aaaaaaaaaaaaaaaaaaaaaaaa';
  await vault.root('PUT', `sys/leases/revoke/${id}`, {});
  await vault.root('PUT', 'auth/token/lookup/hvs.bbbbbbbbbbbbbbbbbbbbbbbb', {});
  const paths = (await vault.auditLines())
    .map((line) => (line.request as { path?: string } | undefined)?.path ?? '')
    .join('\n');
  expect(paths).toContain('sys/leases/revoke/hmac-sha256:');
  expect(paths).toContain('auth/token/lookup/hmac-sha256:');
  expect(paths).not.toContain('aaaaaaaa');
  expect(paths).not.toContain('bbbbbbbb');
});
