import { formatDuration } from '../../duration.ts';
import type { KvSecret, KvVersion } from './kv-secret.ts';

const time = (ms: number | null): string => (ms === null ? '' : new Date(ms).toISOString());

export function describeVersion(secret: KvSecret, number: number, version: KvVersion): Record<string, unknown> {
  return {
    created_time: time(version.createdAtMs),
    custom_metadata: secret.customMetadata,
    deletion_time: time(version.deletedAtMs),
    destroyed: version.destroyed,
    version: number,
  };
}

export function describeSecret(secret: KvSecret): Record<string, unknown> {
  return {
    cas_required: secret.casRequired,
    created_time: time(secret.createdAtMs),
    current_metadata_version: secret.metadataVersion,
    current_version: secret.currentVersion,
    custom_metadata: secret.customMetadata,
    delete_version_after: formatDuration(secret.deleteVersionAfterSeconds),
    max_versions: secret.maxVersions,
    metadata_cas_required: false,
    oldest_version: secret.oldestVersion,
    updated_time: time(secret.updatedAtMs),
    versions: Object.fromEntries(
      Object.entries(secret.versions).map(([number, version]) => [
        number,
        {
          created_time: time(version.createdAtMs),
          deletion_time: time(version.deletedAtMs),
          destroyed: version.destroyed,
        },
      ]),
    ),
  };
}

/** Names below a folder, folders with a trailing slash. */
export function childrenOf(paths: Iterable<string>, folder: string): string[] {
  const prefix = folder === '' || folder.endsWith('/') ? folder : `${folder}/`;
  const names = new Set<string>();
  for (const path of paths) {
    if (!path.startsWith(prefix)) continue;
    const rest = path.slice(prefix.length);
    const slash = rest.indexOf('/');
    names.add(slash === -1 ? rest : rest.slice(0, slash + 1));
  }
  return [...names].sort();
}

/** RFC 7396. */
export function mergePatch(
  target: Readonly<Record<string, unknown>>,
  patch: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const merged = new Map(Object.entries(target));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else if (isObject(value)) {
      const present = merged.get(key);
      merged.set(key, mergePatch(isObject(present) ? present : {}, value));
    } else merged.set(key, value);
  }
  return Object.fromEntries(merged);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
