import { readFileSync } from 'node:fs';
import { startPostgres } from '@neural-hive/embedded-postgres';
import { startOpenBao } from '@neural-hive/real-stack';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { describeOpenBaoContract } from '../testing/openbao-contract.ts';
import { describePoolRotation } from '../testing/pool-rotation-contract.ts';
import { describeVaultContract } from '../testing/vault-contract.ts';
import type { VaultTarget } from '../testing/vault-target.ts';

async function openBao(): Promise<VaultTarget> {
  const [bao, server] = await Promise.all([startOpenBao(), startPostgres()]);
  const { socketFolder: host, port, database, superuser } = server;
  return {
    name: 'OpenBao',
    address: bao.address,
    caPem: readFileSync(bao.caFile, 'utf8'),
    rootToken: bao.rootToken.reveal(),
    postgres: { host, port, database, user: superuser.user, password: superuser.password },
    async close() {
      await Promise.all([bao.stop(), server.stop()]);
    },
  };
}

describe('on OpenBao', () => {
  describeVaultContract(openBao, { describe, test, beforeAll, afterAll });
  describeOpenBaoContract(openBao, { describe, test, beforeAll, afterAll });
  describePoolRotation(openBao, { describe, test, beforeAll, afterAll });
});
