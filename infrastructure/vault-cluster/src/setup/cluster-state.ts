import { parseDurationMs } from '@neural-hive/security/encoding';
import { isVaultError } from '@neural-hive/security/vault';
import type { VaultRequester } from '@neural-hive/vault-setup';
import { ClusterError } from '../cluster-error.ts';
import type { AuditDevice, ClusterSettings } from '../settings.ts';

/** Names of what was changed, for the reader. */
export type Changes = readonly string[];

const AUTOPILOT = 'sys/storage/raft/autopilot/configuration';

/** Sets autopilot where it differs. It is state of the cluster, so no configuration file can. */
export async function setAutopilot(client: VaultRequester, wanted: ClusterSettings['autopilot']): Promise<Changes> {
  const { data: found } = await client.request({ method: 'GET', path: AUTOPILOT });
  const changed = Object.entries(wanted).flatMap(([name, value]) => (same(value, found[name]) ? [] : [name]));
  if (changed.length === 0) return [];
  await client.request({ method: 'POST', path: AUTOPILOT, body: wanted, safe: true });
  return [`autopilot: ${changed.join(', ')}`];
}

/** Servers answer `24h0m0s` for `24h`. */
function same(wanted: unknown, found: unknown): boolean {
  if (typeof wanted !== 'string') return wanted === found;
  return typeof found === 'string' && parseDurationMs(found) === parseDurationMs(wanted);
}

/** Enables the devices that are not there. One that is there and writes elsewhere is somebody's decision: an error. */
export async function enableAudit(client: VaultRequester, wanted: readonly AuditDevice[]): Promise<Changes> {
  if (wanted.length === 0) return [];
  const { data: present } = await client.request({ method: 'GET', path: 'sys/audit' });
  const changes: string[] = [];
  for (const { path, type, options } of wanted) {
    const found = present[`${path}/`] as { readonly options?: Readonly<Record<string, unknown>> } | undefined;
    if (found === undefined) {
      await enableDevice(client, { path, type, options });
      changes.push(`audit device ${path}/`);
    } else if (found.options?.file_path !== options.file_path) {
      const where = String(found.options?.file_path);
      const message = `Audit device ${path}/ writes to ${where} and should write to ${options.file_path}: disable it, and run again`;
      throw new ClusterError('refused', message);
    }
  }
  return changes;
}

async function enableDevice(client: VaultRequester, { path, type, options }: AuditDevice): Promise<void> {
  try {
    await client.request({ method: 'PUT', path: `sys/audit/${path}`, body: { type, options } });
  } catch (error) {
    // Two Jobs may run at the same time.
    if (!(isVaultError(error) && error.errors?.some((text) => text.includes('already in use')))) throw error;
  }
}
