import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { askJson } from '../https-json.ts';
import { ETCD_VERSION } from './install.ts';
import { startEtcd } from './start.ts';

const text = (value: string): string => Buffer.from(value).toString('base64');

test('a real etcd of the pinned version keeps what it is told, and leaves nothing when it is stopped', async () => {
  const server = await startEtcd();
  expect(server.version).toBe(ETCD_VERSION);
  const { ca } = server;
  const identity = {
    certificate: readFileSync(server.certificateFile, 'utf8'),
    key: readFileSync(server.keyFile, 'utf8'),
  };
  const key = text('a');
  await askJson(`${server.endpoint}/v3/kv/put`, { ca, identity, body: { key, value: text('1') } });
  const answer = await askJson(`${server.endpoint}/v3/kv/range`, { ca, identity, body: { key } });
  expect(answer.json).toMatchObject({ kvs: [{ key, value: text('1') }] });
  await server.stop();
  await server.stop();
  expect(existsSync(dirname(server.caFile))).toBe(false);
});

test('who has no certificate of its authority is refused', async () => {
  await using server = await startEtcd();
  const { ca } = server;
  const identity = {
    certificate: readFileSync(server.certificateFile, 'utf8'),
    key: readFileSync(server.keyFile, 'utf8'),
  };
  expect((await askJson(`${server.endpoint}/health`, { ca, identity })).status).toBe(200);
  await expect(askJson(`${server.endpoint}/health`, { ca })).rejects.toThrow(/certificate required|alert/i);
});

test('a program that is not etcd is told in one line', async () => {
  await expect(startEtcd({ binary: '/bin/false' })).rejects.toMatchObject({ code: 'start_failed' });
});
