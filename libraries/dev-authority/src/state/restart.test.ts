import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AuthorityUnderTest } from '../authority-under-test.ts';
import { DevAuthority } from '../dev-authority.ts';

test('everything is there after a restart: secrets, mounts, policies, tokens, the CA', async () => {
  await using vault = await AuthorityUnderTest.open();
  const before = { ca: vault.authority.caPem, root: vault.authority.rootToken };
  await vault.must('POST', 'secret/data/kept', { data: { a: 1 } });
  await vault.must('PUT', 'sys/policies/acl/kept', { policy: 'path "secret/data/kept" { capabilities = ["read"] }' });
  await vault.must('POST', 'sys/mounts/other', { type: 'kv-v2', description: 'mine' });
  const token = await vault.tokenWith(['kept']);
  await vault.restart();
  expect({ ca: vault.authority.caPem, root: vault.authority.rootToken }).toEqual(before);
  expect((await vault.call('GET', 'secret/data/kept', { token })).data.data).toEqual({ a: 1 });
  expect((await vault.root('GET', 'sys/mounts')).data).toHaveProperty(['other/']);
});

test('a token that ended meanwhile is not there any more', async () => {
  await using vault = await AuthorityUnderTest.open();
  const [brief, long] = [await vault.tokenWith(['default'], { ttl: 1 }), await vault.tokenWith(['default'])];
  expect((await vault.call('GET', 'auth/token/lookup-self', { token: brief })).status).toBe(200);
  await vault.restart(() => new Promise((resolve) => setTimeout(resolve, 1_000)));
  expect((await vault.call('GET', 'auth/token/lookup-self', { token: brief })).status).toBe(403);
  expect((await vault.call('GET', 'auth/token/lookup-self', { token: long })).status).toBe(200);
});

test('no file holds a secret in the clear, and none but the CA is open to others', async () => {
  await using vault = await AuthorityUnderTest.open();
  const secret = 'correct-horse-battery-staple';
  await vault.must('POST', 'secret/data/x', { data: { password: secret } });
  const token = await vault.tokenWith(['default']);
  await vault.call('GET', 'auth/token/lookup-self', { token });
  await vault.call('POST', `auth/token/revoke/${token}`, { token: vault.authority.rootToken });
  const state = join(vault.folder, 'state');
  for (const name of ['state.sealed', 'audit.log', 'state.key']) {
    const content = await readFile(join(state, name), 'latin1');
    for (const hidden of [secret, token, vault.authority.rootToken]) expect(content.includes(hidden), name).toBe(false);
    expect((await stat(join(state, name))).mode & 0o777, name).toBe(0o600);
  }
  expect((await stat(vault.authority.rootTokenFile)).mode & 0o777).toBe(0o600);
  expect((await stat(state)).mode & 0o777).toBe(0o700);
});

test('a changed byte, another key or an open key file stops the start', async () => {
  await using vault = await AuthorityUnderTest.open();
  await vault.must('POST', 'secret/data/x', { data: { a: 1 } });
  const state = join(vault.folder, 'state');
  await vault.authority.close();
  const open = (): Promise<DevAuthority> => DevAuthority.open({ stateFolder: state });
  const sealed = await readFile(join(state, 'state.sealed'));
  const damaged = Buffer.from(sealed);
  damaged.writeUInt8(damaged.readUInt8(40) ^ 1, 40);
  await writeFile(join(state, 'state.sealed'), damaged);
  await expect(open()).rejects.toMatchObject({ code: 'state_unreadable' });
  await writeFile(join(state, 'state.sealed'), sealed);
  const key = await readFile(join(state, 'state.key'));
  await writeFile(join(state, 'state.key'), `${'0'.repeat(64)}\n`);
  await expect(open()).rejects.toMatchObject({ code: 'state_unreadable' });
  await writeFile(join(state, 'state.key'), key);
  await (await open()).close();
});

test('a second authority on the same folder is refused', async () => {
  await using vault = await AuthorityUnderTest.open();
  const state = join(vault.folder, 'state');
  await writeFile(join(state, 'state.lock'), String(process.ppid));
  await expect(DevAuthority.open({ stateFolder: state })).rejects.toMatchObject({ code: 'state_in_use' });
});

test('it does not run in production, nor beyond loopback unless told twice', async () => {
  const stateFolder = '/nonexistent/never-made';
  const attempt = (options: object, env: NodeJS.ProcessEnv): Promise<unknown> =>
    DevAuthority.open({ stateFolder, ...options, env });
  await expect(attempt({}, { NODE_ENV: 'production' })).rejects.toMatchObject({ code: 'production_refused' });
  await expect(attempt({ host: '0.0.0.0' }, {})).rejects.toMatchObject({ code: 'remote_refused' });
  await expect(attempt({ host: '0.0.0.0', allowRemote: true }, {})).rejects.toMatchObject({ code: 'remote_refused' });
  await expect(attempt({ host: '0.0.0.0' }, { DEV_AUTHORITY_ALLOW_REMOTE: '1' })).rejects.toMatchObject({
    code: 'remote_refused',
  });
  await using vault = await AuthorityUnderTest.open({
    host: '0.0.0.0',
    allowRemote: true,
    env: { DEV_AUTHORITY_ALLOW_REMOTE: '1' },
  });
  expect(vault.authority.address).toMatch(/^https:\/\/0\.0\.0\.0:/);
});
