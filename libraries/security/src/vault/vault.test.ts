import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DevAuthority } from '@neural-hive/dev-authority';
import { startPostgres } from '@neural-hive/embedded-postgres';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { describePoolRotation } from '../testing/pool-rotation-contract.ts';
import { describeVaultContract } from '../testing/vault-contract.ts';
import type { VaultTarget } from '../testing/vault-target.ts';

async function devAuthority(): Promise<VaultTarget> {
  const stateFolder = mkdtempSync(join(tmpdir(), 'authority-'));
  const [authority, server] = await Promise.all([DevAuthority.open({ stateFolder }), startPostgres()]);
  const { socketFolder: host, port, database, superuser } = server;
  return {
    name: 'dev authority',
    address: authority.address,
    caPem: authority.caPem,
    rootToken: authority.rootToken,
    postgres: { host, port, database, user: superuser.user, password: superuser.password },
    async close() {
      await authority.close();
      await server.stop();
      rmSync(stateFolder, { recursive: true, force: true });
    },
  };
}

describe('on the dev authority', () => {
  describeVaultContract(devAuthority, { describe, test, beforeAll, afterAll });
  describePoolRotation(devAuthority, { describe, test, beforeAll, afterAll });
});
