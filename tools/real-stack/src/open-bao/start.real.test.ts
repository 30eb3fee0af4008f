import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { expect, test } from 'vitest';
import { OPEN_BAO_VERSION } from './install.ts';
import { startOpenBao } from './start.ts';

test('a real server of the pinned version answers over TLS, and leaves nothing when it is stopped', async () => {
  const server = await startOpenBao({ tls: true });
  expect(server.version).toBe(OPEN_BAO_VERSION);
  const { address, caFile, rootToken } = server;
  const client = await VaultClient.open({ address, ca: { file: caFile }, auth: tokenAuth({ token: rootToken }) });
  await client.kv().write('a/b', { value: 1 });
  expect((await client.kv().read('a/b')).data).toEqual({ value: 1 });
  await client.close();

  const commandLine = readFileSync(`/proc/${server.pid}/cmdline`, 'utf8');
  expect(commandLine).toContain('server');
  expect(commandLine).not.toContain(rootToken.reveal());
  await server.stop();
  await server.stop();
  expect(existsSync(dirname(caFile))).toBe(false);
});

test('a program that is not OpenBao is told in one line', async () => {
  await expect(startOpenBao({ binary: '/bin/false' })).rejects.toMatchObject({ code: 'start_failed' });
});
