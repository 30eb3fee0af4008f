import { mkdtempSync, rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AuthorityUnderTest } from '../authority-under-test.ts';

function post(socketPath: string, path: string, body: unknown): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path, method: 'POST' }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as unknown }));
    });
    outgoing.on('error', reject).end(JSON.stringify(body));
  });
}

test('the control socket is for its owner, serves the control API without a token, and nothing else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'da-control-'));
  const controlSocket = join(folder, 'control.sock');
  {
    await using vault = await AuthorityUnderTest.open({ controlSocket });
    expect((await stat(controlSocket)).mode & 0o777).toBe(0o600);
    const account = { namespace: 'n', name: 'a', audiences: ['x'] };
    const issued = await post(controlSocket, '/v1/sys/dev/service-account-token', account);
    expect(issued).toMatchObject({ status: 200, body: { data: { token: expect.stringMatching(/^ey/) } } });
    expect((await post(controlSocket, '/v1/auth/token/create', {})).status).toBe(404);
    expect((await post(controlSocket, '/v1/sys/dev/../mounts/x', { type: 'kv-v2' })).status).toBe(404);
    expect(vault.authority.address).toMatch(/^https:/);
  }
  await expect(stat(controlSocket)).rejects.toThrow('ENOENT');
  await expect(AuthorityUnderTest.open({ controlSocket: join(folder, 'x'.repeat(120)) })).rejects.toThrow(RangeError);
  rmSync(folder, { recursive: true });
});
