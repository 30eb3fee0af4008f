import { startOpenBao } from '@neural-hive/real-stack';
import type { TicketDatabase } from './database.ts';
import { setUpVault, type TestVault } from './vault.ts';

/** A real OpenBao with the platform's policies, roles and engines. */
export async function startTestOpenBao(database: TicketDatabase): Promise<TestVault> {
  const bao = await startOpenBao({ tls: true });
  const place = { address: bao.address, ca: { file: bao.caFile } };
  const vault = await setUpVault(place, bao.rootToken.reveal(), database);
  return {
    ...vault,
    stop: async () => {
      await vault.stop();
      await bao.stop();
    },
  };
}
