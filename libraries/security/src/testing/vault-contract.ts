import { certificates } from './vault-contract/certificates.ts';
import { leases } from './vault-contract/leases.ts';
import { logins } from './vault-contract/logins.ts';
import { secrets } from './vault-contract/secrets.ts';
import { server } from './vault-contract/server.ts';
import { tokens } from './vault-contract/tokens.ts';
import type { TestRunner } from './vault-contract/topic.ts';
import { ConfiguredVault, type VaultTarget } from './vault-target.ts';

export type { TestRunner } from './vault-contract/topic.ts';

/** What the client relies on in a server. Runs on the dev authority and on OpenBao alike. */
export function describeVaultContract(openTarget: () => Promise<VaultTarget>, runner: TestRunner): void {
  const { describe, test, beforeAll, afterAll } = runner;
  let vault: ConfiguredVault;

  describe('the Vault contract', () => {
    beforeAll(async () => {
      vault = await ConfiguredVault.open(await openTarget());
      await vault.jwtRole('steady', 600, 3_600);
      await vault.databaseRole('steady', 600, 3_600);
    });
    afterAll(() => vault?.close());

    for (const topic of [logins, secrets, tokens, leases, certificates, server]) topic(test, () => vault);
  });
}
