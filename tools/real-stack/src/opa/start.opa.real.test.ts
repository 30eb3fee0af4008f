import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { askJson } from '../https-json.ts';
import { toolVersion } from '../infra/tools.ts';
import { startOpa } from './start.ts';

const POLICY = `package tickets

default allow := false

allow if input.type in {"build", "test"}
`;

test('a real OPA of the pinned version decides by the policy it was given, and leaves nothing when it is stopped', async () => {
  const server = await startOpa();
  expect(server.version).toBe(toolVersion('opa'));
  expect((await server.call('policies/tickets', { method: 'PUT', body: POLICY })).status).toBe(200);
  const decide = async (type: string) => (await server.call('data/tickets/allow', { body: { input: { type } } })).json;
  expect(await decide('build')).toEqual({ result: true });
  expect(await decide('deploy')).toEqual({ result: false });
  expect(readFileSync(`/proc/${server.pid}/cmdline`, 'utf8')).not.toContain(server.token.reveal());
  await server.stop();
  await server.stop();
  expect(existsSync(dirname(server.caFile))).toBe(false);
});

test('who does not bring the token of the run is refused', async () => {
  await using server = await startOpa();
  const { address, ca } = server;
  expect((await server.call('data')).status).toBe(200);
  expect((await askJson(`${address}/v1/data`, { ca })).status).toBe(401);
  const wrong = { authorization: 'Bearer wrong' };
  expect((await askJson(`${address}/v1/data`, { ca, headers: wrong })).status).toBe(401);
});

test('a program that is not OPA is told in one line', async () => {
  await expect(startOpa({ binary: '/bin/false' })).rejects.toMatchObject({ code: 'start_failed' });
});
