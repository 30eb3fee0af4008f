import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { CertificateAuthority } from '@neural-hive/security/testing';
import { expect, test, vi } from 'vitest';
import { startTemporal, type TemporalServer } from './start.ts';

vi.setConfig({ testTimeout: 240_000 });

/** A handshake and the first answer; TLS 1.3 tells a client that its certificate is refused only then. */
function handshake({ address, authority }: TemporalServer, issuer?: CertificateAuthority): Promise<string> {
  const [host = '', port = ''] = address.split(':');
  const issued = issuer?.issueTlsCertificate({ dnsNames: ['client'], ttlSeconds: 600 });
  const key = issued?.privateKey.export({ type: 'pkcs8', format: 'pem' });
  const identity = issued === undefined ? {} : { cert: issued.certificateChainPem, key };
  return new Promise((resolve) => {
    const options = { host, port: Number(port), ca: authority.certificatePem, ALPNProtocols: ['h2'], ...identity };
    const socket = connect(options);
    socket.on('error', (error) => resolve(error.message));
    // The settings of HTTP/2, which the server sends on its own.
    socket.once('data', () => {
      socket.destroy();
      resolve('let in');
    });
  });
}

test('a real Temporal of the pinned version starts, keeps its secrets off the command line and leaves nothing', async () => {
  const server = await startTemporal();
  const commandLine = readFileSync(`/proc/${server.pid}/cmdline`, 'utf8');
  expect(commandLine).toContain('--config-file');
  const folder = /--config-file\0([^\0]+)\/temporal\.json/.exec(commandLine)?.[1] ?? '';
  const password = readFileSync(`${folder}/password`, 'utf8');
  expect(commandLine).not.toContain(password);
  expect(readFileSync(`${folder}/temporal.json`, 'utf8')).not.toContain(password);
  await server.stop();
  await server.stop();
  expect(existsSync(folder)).toBe(false);
});

test('it lets in who shows a certificate of its authority, and nobody else', async () => {
  await using server = await startTemporal();
  expect(await handshake(server, server.authority)).toBe('let in');
  expect(await handshake(server)).toMatch(/certificate required/);
  expect(await handshake(server, CertificateAuthority.create('elsewhere.test'))).toMatch(/alert|ECONNRESET/);
});

test('a program that is not Temporal is told in one line', async () => {
  await expect(startTemporal({ binaries: '/nonexistent' })).rejects.toMatchObject({ code: 'start_failed' });
});
