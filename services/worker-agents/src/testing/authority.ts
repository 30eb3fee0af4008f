import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DevAuthority } from '@neural-hive/dev-authority';
import type { TicketDatabase } from './database.ts';
import { setUpVault, type TestVault } from './vault.ts';

export interface TestAuthority extends TestVault {
  readonly authority: DevAuthority;
}

/** A dev authority with the platform's policies, roles and engines, whose database engine makes logins on `server`. */
export async function startTestAuthority(
  server: TicketDatabase,
  options: Pick<Parameters<typeof DevAuthority.open>[0], 'workloads'> = {},
): Promise<TestAuthority> {
  const stateFolder = mkdtempSync(join(tmpdir(), 'nh-authority-'));
  const authority = await DevAuthority.open({ stateFolder, ...options });
  const { address, caPem: ca, rootToken } = authority;
  const vault = await setUpVault({ address, ca }, rootToken, server, { jwt: { provider: 'spiffe' } });
  return {
    ...vault,
    authority,
    stop: async () => {
      await vault.stop();
      await authority.close();
      rmSync(stateFolder, { recursive: true, force: true });
    },
  };
}
