import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { bundleServer, Federation, matchAny } from '../spiffe/index.ts';
import { CertificateAuthority } from '../testing/certificate-authority.ts';
import { FixedIdentity } from '../testing/fixed-identity.ts';
import { spiffeBundleOf } from '../testing/spiffe-bundles.ts';
import { connectTls } from './connect.ts';
import { withBundles } from './identity.ts';
import { peerSpiffeId } from './peer.ts';
import { tlsServer } from './server.ts';

test('a peer of a federated trust domain is admitted until the relationship ends, and one of no relationship is not', async () => {
  const own = CertificateAuthority.create('own.org');
  const partner = CertificateAuthority.create('partner.org');
  const partnerIdentity = FixedIdentity.issue(partner, 'spiffe://partner.org/caller', [own.bundle()]);
  const partnerBundle = spiffeBundleOf(partner);
  const endpoint = bundleServer({
    bundle: () => partnerBundle,
    identity: FixedIdentity.issue(partner, 'spiffe://partner.org/bundle-server'),
  });
  await once(endpoint.listen(0, '127.0.0.1'), 'listening');
  const federation = await Federation.open({
    relationships: [
      {
        trustDomain: 'partner.org',
        url: `https://127.0.0.1:${(endpoint.address() as AddressInfo).port}/`,
        profile: 'https_spiffe',
        endpointId: 'spiffe://partner.org/bundle-server',
        initialBundle: partnerBundle,
      },
    ],
  });
  const base = FixedIdentity.issue(own, 'spiffe://own.org/service');
  const admitted: string[] = [];
  const server = tlsServer({ identity: withBundles(base, federation), authorize: matchAny() }, (socket) => {
    admitted.push(String(peerSpiffeId(socket)));
    socket.end('welcome');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const outcome = async (identity: FixedIdentity): Promise<string> => {
    const refused = once(server, 'tlsClientError').then(([error]) => String((error as { code?: string }).code));
    const socket = await connectTls({ identity, authorize: matchAny(), host: '127.0.0.1', port });
    const welcomed = once(socket, 'data').then(([data]) => String(data));
    welcomed.catch(() => undefined);
    socket.on('error', () => undefined);
    const result = await Promise.race([refused, welcomed]);
    socket.destroy();
    return result;
  };
  expect(await outcome(partnerIdentity)).toBe('welcome');
  expect(admitted).toEqual(['spiffe://partner.org/caller']);
  const stranger = CertificateAuthority.create('stranger.org');
  const strangerIdentity = FixedIdentity.issue(stranger, 'spiffe://stranger.org/caller', [own.bundle()]);
  expect(await outcome(strangerIdentity)).toBe('BUNDLE_NOT_FOUND');
  await federation.end('partner.org');
  expect(await outcome(partnerIdentity)).toBe('BUNDLE_NOT_FOUND');
  await federation.close();
  endpoint.close();
  server.close();
  await once(server, 'close');
  expect(base.listenerCount).toBe(0);
});
