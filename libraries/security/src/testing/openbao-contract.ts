import { consistency } from './openbao-contract/consistency.ts';
import { encryption } from './openbao-contract/encryption.ts';
import { engines } from './openbao-contract/engines.ts';
import { limits } from './openbao-contract/limits.ts';
import { logins } from './openbao-contract/logins.ts';
import { seal } from './openbao-contract/seal.ts';
import { wrapping } from './openbao-contract/wrapping.ts';
import type { TestRunner } from './vault-contract/topic.ts';
import { ConfiguredVault, type VaultTarget } from './vault-target.ts';

/** What the client offers beyond what the dev authority serves. Runs on OpenBao alone. */
export function describeOpenBaoContract(openTarget: () => Promise<VaultTarget>, runner: TestRunner): void {
  const { describe, test, beforeAll, afterAll } = runner;
  let vault: ConfiguredVault;

  describe('what only the real server has', () => {
    beforeAll(async () => {
      vault = await ConfiguredVault.open(await openTarget());
      await vault.jwtRole('steady', 600, 3_600);
      await vault.databaseRole('steady', 600, 3_600);
    });
    afterAll(() => vault?.close());

    for (const topic of [engines, encryption, wrapping, logins, limits, consistency, seal]) topic(test, () => vault);
  });
}
