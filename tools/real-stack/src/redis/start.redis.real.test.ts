import { existsSync, readFileSync, statSync } from 'node:fs';
import { createConnection } from 'node:net';
import { dirname } from 'node:path';
import { connect } from 'node:tls';
import { expect, test } from 'vitest';
import { REDIS_VERSION } from './install.ts';
import { startRedis } from './start.ts';

/** Sends lines and resolves with the answer once it has `lines` lines. */
async function ask(port: number, ca: Buffer, text: string, lines: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, ca });
  let answer = '';
  socket.write(text);
  for await (const chunk of socket) {
    answer += String(chunk);
    if (answer.split('\r\n').length > lines) break;
  }
  return answer;
}

test('a real server of the pinned version answers its administrator over TLS only, and leaves nothing', async () => {
  const server = await startRedis();
  expect(server.version.split('.')[0]).toBe(REDIS_VERSION);
  const { port, caFile, admin } = server;
  const ca = readFileSync(caFile);
  const login = `AUTH ${admin.username} ${admin.password.reveal()}\r\n`;
  expect(await ask(port, ca, `${login}SET a 1\r\n`, 2)).toBe('+OK\r\n+OK\r\n');
  expect(await ask(port, ca, 'GET a\r\n', 1)).toMatch(/^-NOAUTH /);
  expect(await ask(port, ca, 'AUTH admin wrong\r\n', 1)).toMatch(/^-WRONGPASS /);

  // Without TLS the server hangs up.
  const plain = createConnection({ host: '127.0.0.1', port });
  let answered = '';
  plain.on('data', (chunk: Buffer) => {
    answered += chunk;
  });
  plain.on('error', () => undefined);
  const closed = new Promise((resolve) => plain.once('close', resolve));
  plain.write('PING\r\n');
  await closed;
  expect(answered).not.toContain('PONG');

  const folder = dirname(caFile);
  for (const name of ['redis.conf', 'users.acl', 'server.key']) {
    const path = `${folder}/${name}`;
    expect(statSync(path).mode & 0o077).toBe(0);
    expect(readFileSync(path, 'utf8')).not.toContain(admin.password.reveal());
  }
  expect(readFileSync(`/proc/${server.pid}/cmdline`, 'utf8')).not.toContain(admin.password.reveal());
  await server.stop();
  await server.stop();
  expect(existsSync(folder)).toBe(false);
});

test('a program that is not Redis is told in one line', async () => {
  await expect(startRedis({ binary: '/bin/false' })).rejects.toMatchObject({ code: 'start_failed' });
});
