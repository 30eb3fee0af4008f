import { isVaultError } from '@neural-hive/security/vault';
import type { Entry, Fields } from '../setup/setup.ts';
import { differencesOf } from './differences.ts';
import { readIfPresent, type VaultRequester, write } from './requester.ts';
import { isMissingPlugin, type Run } from './run.ts';

/** The names of the database plugins, or undefined where the server does not tell. */
async function pluginCatalog(
  client: VaultRequester,
  signal: AbortSignal | undefined,
): Promise<readonly string[] | undefined> {
  try {
    const { keys } = (await client.request({ method: 'GET', path: 'sys/plugins/catalog/database', signal })).data;
    return Array.isArray(keys) ? keys.map(String) : undefined;
  } catch (error) {
    if (isVaultError(error) && error.status !== undefined && error.status < 500) return undefined;
    throw error;
  }
}

/** The fields with the plugin that this server has; undefined when it has none. */
async function withPlugin({ client, signal }: Run, entry: Entry): Promise<Fields | undefined> {
  if (entry.plugins === undefined) return entry.fields;
  const catalog = await pluginCatalog(client, signal);
  const plugin = catalog === undefined ? entry.plugins[0] : entry.plugins.find((name) => catalog.includes(name));
  return plugin === undefined ? undefined : { plugin_name: plugin, ...entry.fields };
}

/** `newMount`: nothing can be below a mount that was made a moment ago, or in a plan would be. */
export async function applyEntry(run: Run, mount: string, entry: Entry, newMount: boolean): Promise<void> {
  const { client, plan, signal, report } = run;
  const { name } = entry;
  if (entry.needs !== undefined && report.isUnavailable(entry.needs)) {
    return report.unavailable(name, `${entry.needs} is not there`);
  }
  const fields = await withPlugin(run, entry);
  if (fields === undefined) {
    return report.unavailable(name, `this server has none of the plugins ${entry.plugins?.join(', ')}`);
  }
  const readPath = `${mount}/${entry.existsAt ?? entry.path}`;
  const found = newMount ? undefined : await readExisting(client, readPath, entry, signal);
  const changed = found === undefined ? [] : entry.existsAt === undefined ? differencesOf(fields, found) : [];
  if (found !== undefined && changed.length === 0 && entry.secretFields === undefined) return report.unchanged(name);
  if (!plan) {
    try {
      await write(client, `${mount}/${entry.path}`, { ...fields, ...entry.secretFields }, signal);
    } catch (error) {
      if (!isMissingPlugin(error)) throw error;
      return report.unavailable(name, 'this server does not have its plugin');
    }
  }
  if (found === undefined) report.created(name);
  else report.updated(name, [...changed, ...Object.keys(entry.secretFields ?? {})]);
}

/** A certificate authority without a certificate is answered in several ways. */
async function readExisting(
  client: VaultRequester,
  path: string,
  entry: Entry,
  signal: AbortSignal | undefined,
): Promise<Fields | undefined> {
  if (entry.existsAt === undefined) return readIfPresent(client, path, signal);
  try {
    const found = await readIfPresent(client, path, signal);
    return found?.certificate === undefined || found.certificate === '' ? undefined : found;
  } catch (error) {
    if (isVaultError(error, 'invalid-request') || isVaultError(error, 'unavailable')) return undefined;
    throw error;
  }
}
