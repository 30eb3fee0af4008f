import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FaultVault, reply } from '../../testing/fault-vault.ts';
import { VaultClient } from '../client.ts';
import { kubernetesAuth } from './kubernetes.ts';

let server: FaultVault;
let folder: string;
beforeEach(async () => {
  server = await FaultVault.listen();
  folder = mkdtempSync(join(tmpdir(), 'sa-'));
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

test('the service account token is read anew at every login', async () => {
  server.handler = ({ path }, response) =>
    path === '/v1/auth/cluster-a/login'
      ? reply(response, 200, { auth: { client_token: 'hvs.a', accessor: 'a', lease_duration: 600, renewable: true } })
      : reply(response, 204, '');
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, 'first\n');
  const auth = kubernetesAuth({ role: 'worker', mount: 'cluster-a', tokenFile });
  const client = await VaultClient.open({ address: server.address, ca: server.caPem, auth });
  writeFileSync(tokenFile, 'second\n');
  await client.rotateToken();
  const logins = server.to('/v1/auth/cluster-a/login').map(({ body }) => body);
  expect(logins).toEqual([
    { role: 'worker', jwt: 'first' },
    { role: 'worker', jwt: 'second' },
  ]);
  await client.close();
});

test('a file that is not there is named, and a login that wants a second factor is no success', async () => {
  const missing = kubernetesAuth({ role: 'worker', tokenFile: join(folder, 'absent') });
  const options = { address: server.address, ca: server.caPem, openTimeoutMs: 0 };
  await expect(VaultClient.open({ ...options, auth: missing })).rejects.toThrow(/absent/);
  writeFileSync(join(folder, 'token'), 'jwt');
  server.handler = (_request, response) =>
    reply(response, 200, { auth: { client_token: '', mfa_requirement: { mfa_request_id: 'x' } } });
  const auth = kubernetesAuth({ role: 'worker', tokenFile: join(folder, 'token') });
  await expect(VaultClient.open({ ...options, auth })).rejects.toMatchObject({ code: 'login-incomplete' });
});

test('an empty role is refused by name', () => {
  expect(() => kubernetesAuth({ role: ' ' })).toThrow(/^role:/);
});
