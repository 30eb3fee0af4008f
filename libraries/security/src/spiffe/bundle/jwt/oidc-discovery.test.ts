import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DevAuthority } from '@neural-hive/dev-authority';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { describeOidcDiscovery, type OidcDiscoveryTarget } from '../../../testing/oidc-discovery-contract.ts';
import { JwtSource } from '../../index.ts';

async function authority(): Promise<OidcDiscoveryTarget> {
  const stateFolder = mkdtempSync(join(tmpdir(), 'oidc-'));
  const trustDomain = 'contract.test';
  const issuer = 'https://issuer.contract.test';
  const socketPath = join(stateFolder, 'agent.sock');
  const workloads = [{ socketPath, spiffeId: `spiffe://${trustDomain}/contract` }];
  const opened = await DevAuthority.open({ stateFolder, trustDomain, issuer, workloads });
  const source = await JwtSource.open({ endpoint: `unix://${socketPath}` });
  return {
    address: opened.address,
    ca: opened.caPem,
    issuer,
    trustDomain,
    fetchToken: async (audience) => (await source.fetchJwtSvid({ audience })).token.reveal(),
    async close() {
      await source.close();
      await opened.close();
      rmSync(stateFolder, { recursive: true });
    },
  };
}

describe('on the dev authority', () => {
  describeOidcDiscovery(authority, { describe, test, beforeAll, afterAll });
});
