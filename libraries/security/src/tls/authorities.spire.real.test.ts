import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { installGoPeer, runGoPeer, type SpireStack, type StartSpireOptions, startSpire } from '@neural-hive/real-stack';
import { afterEach, expect, test, vi } from 'vitest';
import { JwtSource, matchId, TrustDomain, verifyJwtSvid, verifyX509Svid, X509Source } from '../spiffe/index.ts';
import { CertificateAuthority } from '../testing/certificate-authority.ts';
import { connectTls, peerSpiffeId, peerX509Svid, tlsServer } from './index.ts';

const ID = 'spiffe://example.org/workload';
const GO = 'spiffe://example.org/go-peer';
const EXAMPLE = TrustDomain.parse('example.org');
const PATIENCE = { timeout: 20_000, interval: 100 };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function open(options: StartSpireOptions) {
  const binary = process.env.GO_PEER_BINARY ?? (await installGoPeer());
  const spire: SpireStack = await startSpire(options);
  cleanups.push(() => spire.stop());
  await spire.createEntry({ id: GO, selectors: [`unix:path:${realpathSync(binary)}`] });
  await spire.createEntry({ id: ID, selectors: [`unix:path:${realpathSync(process.execPath)}`] });
  const source = { endpoint: spire.endpoint, initialSyncTimeoutMs: 20_000 };
  const [x509, jwt] = await Promise.all([X509Source.open(source), JwtSource.open(source)]);
  cleanups.push(
    () => x509.close(),
    () => jwt.close(),
  );
  return { spire, x509, jwt, peer: { endpoint: spire.endpoint, binary } };
}

/** Mutual TLS with this library at both ends and with Go at one. */
async function greetEachOther({ x509, peer }: Awaited<ReturnType<typeof open>>) {
  const server = tlsServer({ identity: x509, authorize: (id) => id.memberOf(EXAMPLE) }, (socket) => {
    socket.on('error', () => {}).end(`hello ${peerSpiffeId(socket)}\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const socket = await connectTls({ identity: x509, authorize: matchId(ID), host: '127.0.0.1', port });
  const chain = peerX509Svid(socket)?.chain ?? [];
  socket.destroy();
  expect(await runGoPeer('dial', { ...peer, port, authorize: ID })).toEqual({ peer: ID, received: `hello ${GO}` });
  return chain;
}

test.each([
  ['rsa-2048', 'RS256'],
  ['ec-p384', 'ES384'],
] as const)('an authority with keys of the type %s is understood', async (keyType, algorithm) => {
  const stack = await open({ caKeyType: keyType, jwtKeyType: keyType });
  expect(verifyX509Svid(stack.x509.getX509Svid().certificates, stack.x509).id.toString()).toBe(ID);
  expect(await greetEachOther(stack)).toHaveLength(2);

  const text = (await stack.jwt.fetchJwtSvid({ audience: 'a' })).token.reveal();
  const [header = ''] = text.split('.');
  expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toMatchObject({ alg: algorithm });
  expect(verifyJwtSvid(text, { bundles: stack.jwt, audience: 'a' }).id.toString()).toBe(ID);
  const judged = await runGoPeer('verify-jwt', { ...stack.peer, authorize: ID, audience: 'a', input: text });
  expect(judged).toMatchObject({ id: ID });
});

test('a server below another authority sends its own certificate along, and the path is built through it', async () => {
  const root = CertificateAuthority.create('example.org');
  const { chainPem, privateKeyPem } = root.export();
  const stack = await open({ upstreamAuthority: { certificatePem: chainPem, keyPem: privateKeyPem } });
  const { certificates } = stack.x509.getX509Svid();
  expect(certificates).toHaveLength(2);
  expect(stack.x509.getX509Bundle(EXAMPLE)?.authorities).toEqual(root.bundle().authorities);
  expect(verifyX509Svid(certificates, stack.x509).chain).toHaveLength(3);
  expect(await greetEachOther(stack)).toHaveLength(3);
  expect(() => verifyX509Svid(certificates.slice(0, 1), stack.x509)).toThrow(
    expect.objectContaining({ code: 'X509_SVID_UNTRUSTED' }),
  );
});

test('an authority that is taken out of use signs nothing more, and once revoked is trusted no more', async () => {
  const { spire, x509 } = await open({});
  const before = x509.getX509Svid().certificates;
  const [old] = x509.getX509Bundle(EXAMPLE)?.authorities ?? [];
  const authority = async (command: string, ...args: string[]) =>
    JSON.parse(await spire.server.run(['localauthority', 'x509', command, '-output', 'json', ...args])) as Readonly<
      Record<string, { readonly authority_id: string } | undefined>
    >;
  const active = (await authority('show')).active?.authority_id ?? '';
  expect(active).not.toBe('');
  const prepared = (await authority('prepare')).prepared_authority?.authority_id ?? '';
  await vi.waitFor(() => expect(x509.getX509Bundle(EXAMPLE)?.authorities).toHaveLength(2), PATIENCE);
  await authority('activate', '-authorityID', prepared);
  await authority('taint', '-authorityID', active);
  // The agent replaces what a tainted authority signed without waiting for half of its life.
  await vi.waitFor(() => expect(x509.getX509Svid().certificates).not.toEqual(before), PATIENCE);
  expect(verifyX509Svid(before, x509).id.toString()).toBe(ID);

  await authority('revoke', '-authorityID', active);
  await vi.waitFor(() => expect(x509.getX509Bundle(EXAMPLE)?.authorities).toHaveLength(1), PATIENCE);
  expect(x509.getX509Bundle(EXAMPLE)?.authorities).not.toContainEqual(old);
  expect(verifyX509Svid(x509.getX509Svid().certificates, x509).id.toString()).toBe(ID);
  expect(() => verifyX509Svid(before, x509)).toThrow(expect.objectContaining({ code: 'X509_SVID_UNTRUSTED' }));
});
