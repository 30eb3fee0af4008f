import type { VaultCall, VaultEnvelope } from '@neural-hive/security/vault';
import { isVaultError } from '@neural-hive/security/vault';
import type { Fields } from '../setup/setup.ts';

/** What the applier needs of a client: `VaultClient` is one. */
export interface VaultRequester {
  request(call: VaultCall): Promise<Pick<VaultEnvelope, 'data'>>;
}

/** The answer to a read, or undefined where nothing is there. */
export async function readIfPresent(
  client: VaultRequester,
  path: string,
  signal?: AbortSignal,
): Promise<Fields | undefined> {
  try {
    return (await client.request({ method: 'GET', path, signal })).data;
  } catch (error) {
    if (isVaultError(error, 'not-found')) return undefined;
    throw error;
  }
}

/** Writing the same fields twice is harmless, so a lost answer may be repeated. */
export async function write(client: VaultRequester, path: string, body: Fields, signal?: AbortSignal): Promise<void> {
  await client.request({ method: 'POST', path, body, safe: true, signal });
}
