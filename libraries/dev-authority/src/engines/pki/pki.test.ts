import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { CertificateAuthority } from '@neural-hive/security/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuthorityUnderTest, type WireAnswer } from '../../authority-under-test.ts';

let vault: AuthorityUnderTest;
beforeAll(async () => {
  vault = await AuthorityUnderTest.open();
  await vault.must('POST', 'sys/mounts/pki', { type: 'pki', config: { max_lease_ttl: '8760h' } });
});
afterAll(() => vault[Symbol.asyncDispose]());

const ROLE = {
  allowed_domains: ['neural-hive.local'],
  allow_subdomains: true,
  allowed_uri_sans: ['spiffe://neural-hive.local/*'],
  key_type: 'ec',
  key_bits: 256,
  ttl: '1h',
  max_ttl: '2h',
};
const issue = (fields: Record<string, unknown>): Promise<WireAnswer> =>
  vault.root('POST', 'pki/issue/services', fields);

test('before there is a root, it says so', async () => {
  await vault.must('POST', 'pki/roles/services', ROLE);
  expect((await vault.root('GET', 'pki/cert/ca')).body).toEqual({ errors: ['no default issuer currently configured'] });
  expect((await vault.call('GET', 'pki/ca/pem')).status).toBe(204);
  expect((await issue({ common_name: 'a.neural-hive.local' })).status).toBe(400);
  expect(
    (await vault.must('POST', 'pki/root/generate/internal', { common_name: 'test root', ttl: '8760h' })).data,
  ).not.toHaveProperty('private_key');
});

test('an issued certificate serves TLS to a client that trusts the CA', async () => {
  const { data } = await issue({
    common_name: 'a.neural-hive.local',
    alt_names: 'localhost',
    ip_sans: '127.0.0.1',
    uri_sans: 'spiffe://neural-hive.local/x',
    ttl: '90s',
  });
  const leaf = new X509Certificate(String(data.certificate));
  expect(leaf.subject).toBe('CN=a.neural-hive.local');
  expect(leaf.subjectAltName?.split(', ').sort()).toEqual([
    'DNS:a.neural-hive.local',
    'DNS:localhost',
    'IP Address:127.0.0.1',
    'URI:spiffe://neural-hive.local/x',
  ]);
  expect(Math.abs(Number(data.expiration) - Date.now() / 1000 - 90)).toBeLessThan(5);
  expect(String(data.serial_number)).toMatch(/^(?:[0-9a-f]{2}:)+[0-9a-f]{2}$/);
  const { text: ca } = await vault.call('GET', 'pki/ca/pem');
  const server = createServer({ cert: String(data.certificate), key: String(data.private_key) }, (socket) =>
    socket.end('hello'),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const client: TLSSocket = connect({ host: '127.0.0.1', port, ca });
  const [greeting] = (await once(client, 'data')) as [Buffer];
  expect([greeting.toString(), client.authorized]).toEqual(['hello', true]);
  client.destroy();
  server.close();
});

describe('a role refuses', () => {
  test.each<[what: string, fields: Record<string, unknown>, rule: RegExp]>([
    ['a name of another domain', { common_name: 'a.evil' }, /common name a.evil not allowed/],
    ['the bare domain', { common_name: 'neural-hive.local' }, /not allowed/],
    ['a name that only ends alike', { common_name: 'xneural-hive.local' }, /not allowed/],
    [
      'another name beside a good one',
      { common_name: 'a.neural-hive.local', alt_names: 'b.evil' },
      /b.evil not allowed/,
    ],
    [
      'a foreign URI',
      { common_name: 'a.neural-hive.local', uri_sans: 'spiffe://evil/x' },
      /URI Subject Alternative Names/,
    ],
    ['what is no address', { common_name: 'a.neural-hive.local', ip_sans: 'x' }, /not a valid IP address/],
    ['no name', {}, /common_name field is required/],
  ])('%s', async (_what, fields, rule) => {
    expect((await issue({ common_name: 'a.neural-hive.local' })).status).toBe(200);
    const answer = await issue(fields);
    expect([answer.status, answer.text]).toEqual([400, expect.stringMatching(rule)]);
  });

  test('a longer life than its maximum, by giving less and saying so', async () => {
    const { body, data } = await issue({ common_name: 'a.neural-hive.local', ttl: '10h' });
    expect(Math.abs(Number(data.expiration) - Date.now() / 1000 - 7200)).toBeLessThan(5);
    expect(body.warnings).not.toBeNull();
  });

  test('settings that it would otherwise pass over', async () => {
    expect((await vault.root('POST', 'pki/roles/odd', { ...ROLE, organization: ['x'] })).body).toEqual({
      errors: ['"organization" is not supported'],
    });
  });
});

test('a revoked certificate is known as revoked', async () => {
  const { data } = await issue({ common_name: 'a.neural-hive.local' });
  const path = `pki/cert/${data.serial_number}`;
  expect((await vault.root('GET', path)).data.revocation_time).toBe(0);
  expect((await vault.must('POST', 'pki/revoke', { serial_number: data.serial_number })).data.state).toBe('revoked');
  expect(Number((await vault.root('GET', path)).data.revocation_time)).toBeGreaterThan(0);
  expect((await vault.root('POST', 'pki/revoke', { serial_number: '00:11' })).status).toBe(400);
});

test('the root survives a restart, and another one can be imported', async () => {
  const before = (await vault.call('GET', 'pki/ca/pem')).text;
  await vault.restart();
  expect((await vault.call('GET', 'pki/ca/pem')).text).toBe(before);
  const foreign = CertificateAuthority.create('foreign.test', { commonName: 'foreign root' });
  const { privateKeyPem, chainPem } = foreign.export();
  await vault.must('POST', 'sys/mounts/imported', { type: 'pki' });
  expect((await vault.root('POST', 'imported/config/ca', { pem_bundle: chainPem })).status).toBe(400);
  await vault.must('POST', 'imported/config/ca', { pem_bundle: `${privateKeyPem}${chainPem}` });
  await vault.must('POST', 'imported/roles/services', ROLE);
  const { data } = await vault.must('POST', 'imported/issue/services', { common_name: 'a.neural-hive.local' });
  expect(new X509Certificate(String(data.certificate)).verify(new X509Certificate(foreign.rootPem).publicKey)).toBe(
    true,
  );
});
