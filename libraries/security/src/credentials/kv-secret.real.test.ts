import { startOpenBao } from '@neural-hive/real-stack';
import { expect, test } from 'vitest';
import { tokenAuth, VaultClient } from '../vault/index.ts';
import { kvSecret } from './kv-secret.ts';
import { RotatingCredential } from './rotating-credential.ts';

test('consumers report their version side by side on a real server, and take it back when they close', async () => {
  await using bao = await startOpenBao({ tls: true });
  const auth = tokenAuth({ token: bao.rootToken });
  await using client = await VaultClient.open({ address: bao.address, ca: { file: bao.caFile }, auth });
  const reports = async () => (await client.kv().metadata('app/login')).customMetadata;
  await client.kv().write('app/login', { username: 'a' });
  await client.kv().writeMetadata('app/login', { customMetadata: { owner: 'somebody' } });
  const open = (consumer: string) =>
    RotatingCredential.open({ provider: kvSecret(client, 'app/login', { consumer, pollMs: 50 }) });
  const one = await open('one');
  const two = await open('two');
  expect(await reports()).toEqual({ owner: 'somebody', 'generation.one': '1', 'generation.two': '1' });
  const moved = new Promise((resolve) => two.onRotation(resolve));
  await client.kv().write('app/login', { username: 'b' });
  await moved;
  expect((await reports())['generation.two']).toBe('2');
  await one.close();
  await two.close();
  expect(await reports()).toEqual({ owner: 'somebody' });
});
