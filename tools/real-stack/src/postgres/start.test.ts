import { existsSync, readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import { startTlsPostgres } from './start.ts';

/** SSLRequest of PostgreSQL's protocol: its length and a number that no version has. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** @returns what the server says to the offer of TLS, and the connection */
function offerTls(port: number): Promise<{ answer: string; socket: Socket }> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, '127.0.0.1', () => socket.write(SSL_REQUEST));
    socket.once('error', reject);
    socket.once('data', (data) => resolve({ answer: data.toString('latin1'), socket }));
  });
}

function upgrade(socket: Socket, ca: string, servername: string): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secure = connect({ socket, ca, servername }, () => resolve(secure));
    secure.once('error', reject);
  });
}

test('it answers on TCP with a certificate for localhost, and leaves no file behind', async () => {
  const server = await startTlsPostgres({ database: 'spire', password: `p"w\\d$x'` });
  try {
    const ca = readFileSync(server.caFile, 'utf8');
    const first = await offerTls(server.port);
    expect(first.answer).toBe('S');
    const secure = await upgrade(first.socket, ca, 'localhost');
    expect(secure.authorized).toBe(true);
    secure.destroy();
    const second = await offerTls(server.port);
    await expect(upgrade(second.socket, ca, 'database.internal')).rejects.toThrow('does not match');
    second.socket.destroy();
    expect(server.password.reveal()).toBe(`p"w\\d$x'`);
  } finally {
    await server.stop();
    await server.stop();
  }
  expect(existsSync(server.caFile)).toBe(false);
});
