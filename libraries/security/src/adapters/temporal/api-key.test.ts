import { expect, test } from 'vitest';
import { Secret } from '../../common/index.ts';
import { rotateApiKey } from './index.ts';
import { FakeConnection, FakeServer, fakeLogins } from './testing/fake-connection.ts';

async function stage() {
  const server = new FakeServer();
  const { credential } = await fakeLogins((text) => new Secret(text));
  const connection = new FakeConnection(server, 'older');
  return { server, credential, connection };
}

test('a connection has the newest key from the start on, and each new one once the server lets it in', async () => {
  const { server, credential, connection } = await stage();
  const stop = await rotateApiKey(connection, credential, { namespace: 'orders' });
  expect(connection.apiKey).toBe('login1');
  expect(await credential.rotate()).toMatchObject({ ok: true });
  expect(connection.apiKey).toBe('login2');
  expect(server.log).toEqual(['open older', 'probe orders Bearer login1', 'probe orders Bearer login2']);
  server.refused.add('Bearer login3');
  expect(await credential.rotate()).toMatchObject({ ok: false, error: { code: 'probe-failed' } });
  expect(connection.apiKey).toBe('login2');
  stop();
  expect(await credential.rotate()).toMatchObject({ ok: true });
  expect(connection.apiKey).toBe('login2');
});

test('a key that the server refuses at the start is an error, and the connection follows nothing', async () => {
  const { server, credential, connection } = await stage();
  server.refused.add('Bearer login1');
  await expect(rotateApiKey(connection, credential)).rejects.toThrow('PERMISSION_DENIED');
  expect(await credential.rotate()).toMatchObject({ ok: true });
  expect(connection.apiKey).toBe('login1');
});
