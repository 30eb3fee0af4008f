import { parseDurationMs } from '../../encoding/index.ts';
import { VaultError } from '../errors.ts';
import type { KvConfig, KvMetadata, KvMetadataChange, KvVersion } from './kv.ts';

type Json = Readonly<Record<string, unknown>>;

export function wrongAnswer(path: string, field: string): VaultError {
  return new VaultError('bad-response', `Reading ${path}: ${field} is missing; is the mount a KV engine of version 2?`);
}

export function timeOf(value: unknown): number {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? 0 : ms;
}

export function textRecord(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

export function integer(value: unknown, path: string, field: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) throw wrongAnswer(path, field);
  return value;
}

/** Servers write durations as Go does, `3h25m19s`, and take seconds. */
function secondsOf(value: unknown): number {
  if (typeof value === 'number') return value;
  try {
    return typeof value === 'string' && value !== '' ? parseDurationMs(value) / 1_000 : 0;
  } catch {
    return 0;
  }
}

function versionsOf(value: unknown): KvVersion[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).map(([version, fields]) => {
    const { created_time: created, deletion_time: deletion, destroyed } = fields as Json;
    const deletedAtMs = timeOf(deletion);
    return {
      version: Number(version),
      createdAtMs: timeOf(created),
      ...(deletedAtMs === 0 ? {} : { deletedAtMs }),
      destroyed: destroyed === true,
    };
  });
}

export function parseConfig(data: Json): KvConfig {
  return {
    maxVersions: typeof data.max_versions === 'number' ? data.max_versions : 0,
    casRequired: data.cas_required === true,
    deleteVersionAfterSeconds: secondsOf(data.delete_version_after),
  };
}

export function parseMetadata(data: Json, path: string): KvMetadata {
  return {
    ...parseConfig(data),
    currentVersion: integer(data.current_version, path, 'current_version'),
    oldestVersion: typeof data.oldest_version === 'number' ? data.oldest_version : 0,
    createdAtMs: timeOf(data.created_time),
    updatedAtMs: timeOf(data.updated_time),
    customMetadata: textRecord(data.custom_metadata),
    versions: versionsOf(data.versions).sort((a, b) => a.version - b.version),
  };
}

export function configBody({ maxVersions, casRequired, deleteVersionAfterSeconds }: Partial<KvConfig>): Json {
  return {
    ...(maxVersions !== undefined && { max_versions: maxVersions }),
    ...(casRequired !== undefined && { cas_required: casRequired }),
    ...(deleteVersionAfterSeconds !== undefined && { delete_version_after: `${deleteVersionAfterSeconds}s` }),
  };
}

export function metadataBody(change: KvMetadataChange): Json {
  return { ...configBody(change), ...(change.customMetadata && { custom_metadata: change.customMetadata }) };
}
