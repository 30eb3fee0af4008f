import { startSpire } from '@neural-hive/real-stack';
import { afterAll, beforeAll, describe, test, vi } from 'vitest';
import { describeOidcDiscovery, type OidcDiscoveryTarget } from '../../../testing/oidc-discovery-contract.ts';
import { JwtSource } from '../../index.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 });

async function spire(): Promise<OidcDiscoveryTarget> {
  const trustDomain = 'example.org';
  const issuer = 'https://issuer.example.org';
  const stack = await startSpire({ trustDomain, oidc: true, jwtIssuer: issuer });
  await stack.createEntry({
    id: `spiffe://${trustDomain}/contract`,
    selectors: [`unix:uid:${process.getuid?.()}`],
  });
  const source = await JwtSource.open({ endpoint: stack.endpoint, initialSyncTimeoutMs: 60_000 });
  return {
    address: stack.oidc?.address ?? '',
    ca: stack.oidc?.ca ?? '',
    issuer,
    trustDomain,
    fetchToken: async (audience) => (await source.fetchJwtSvid({ audience })).token.reveal(),
    async close() {
      await source.close();
      await stack.stop();
    },
  };
}

describe("on SPIRE's OIDC provider", () => {
  describeOidcDiscovery(spire, { describe, test, beforeAll, afterAll });
});
