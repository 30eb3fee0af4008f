import { applyVaultSetup, type SetupReport, type VaultRequester } from '@neural-hive/vault-setup';
import type { Settings } from '../settings.ts';
import { clusterSetup } from './cluster-setup.ts';
import { enableAudit, setAutopilot } from './cluster-state.ts';

/** Brings the cluster to its settings; a second time it changes nothing. Audit comes first, so that the rest is in it. */
export async function applyCluster(
  client: VaultRequester,
  settings: Pick<Settings, 'cluster' | 'parameters'>,
  log: (line: string) => void,
): Promise<SetupReport> {
  const { cluster } = settings;
  const state = [
    ...(await enableAudit(client, cluster.auditDevices)),
    ...(await setAutopilot(client, cluster.autopilot)),
  ];
  const setup = await applyVaultSetup(client, clusterSetup(settings));
  const report = { ...setup, created: [...state, ...setup.created] };
  for (const name of report.created) log(`+ ${name}`);
  for (const { name, fields } of report.updated) log(`~ ${name}: ${fields.join(', ')}`);
  for (const { name, reason } of report.unavailable) log(`! ${name}: ${reason}`);
  const { created, updated, unchanged, unavailable } = report;
  const counts = `${created.length} created, ${updated.length} updated, ${unchanged.length} unchanged`;
  log(`${counts}, ${unavailable.length} unavailable`);
  return report;
}
