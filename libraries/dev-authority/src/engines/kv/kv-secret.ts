import { invalid } from '../../fault.ts';

/** Without a limit of its own a secret keeps this many versions. */
const DEFAULT_MAX_VERSIONS = 10;

export interface KvVersion {
  /** `null` once destroyed. */
  data: Readonly<Record<string, unknown>> | null;
  readonly createdAtMs: number;
  /** When it is, or will be, deleted. */
  deletedAtMs: number | null;
  destroyed: boolean;
}

export interface KvSettings {
  readonly maxVersions: number;
  readonly casRequired: boolean;
  readonly deleteVersionAfterSeconds: number;
}

/** One path of a KV v2 engine with its versions. */
export interface KvSecret extends KvSettings {
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly currentVersion: number;
  readonly oldestVersion: number;
  readonly metadataVersion: number;
  readonly customMetadata: Readonly<Record<string, string>> | null;
  readonly versions: Readonly<Record<string, KvVersion>>;
}

export function emptySecret(nowMs: number): KvSecret {
  return {
    maxVersions: 0,
    casRequired: false,
    deleteVersionAfterSeconds: 0,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    currentVersion: 0,
    oldestVersion: 0,
    metadataVersion: 0,
    customMetadata: null,
    versions: {},
  };
}

export function isDeleted(version: KvVersion, nowMs: number): boolean {
  return version.deletedAtMs !== null && version.deletedAtMs <= nowMs;
}

/** The secret with one version more. `cas` must be the current version, 0 for a secret that is not there. */
export function withVersion(
  secret: KvSecret,
  data: Readonly<Record<string, unknown>>,
  { cas, engine, nowMs }: { cas: number | undefined; engine: KvSettings; nowMs: number },
): KvSecret {
  if (cas === undefined && (secret.casRequired || engine.casRequired)) {
    throw invalid('check-and-set parameter required for this call');
  }
  if (cas !== undefined && cas !== secret.currentVersion) {
    throw invalid('check-and-set parameter did not match the current version');
  }
  const number = secret.currentVersion + 1;
  const lifetime = secret.deleteVersionAfterSeconds || engine.deleteVersionAfterSeconds;
  const version: KvVersion = {
    data,
    createdAtMs: nowMs,
    deletedAtMs: lifetime > 0 ? nowMs + lifetime * 1000 : null,
    destroyed: false,
  };
  return trim(
    { ...secret, updatedAtMs: nowMs, currentVersion: number, versions: { ...secret.versions, [number]: version } },
    engine,
  );
}

function trim(secret: KvSecret, engine: KvSettings): KvSecret {
  const keep = secret.maxVersions || engine.maxVersions || DEFAULT_MAX_VERSIONS;
  const oldest = secret.currentVersion - keep + 1;
  const versions = Object.entries(secret.versions).filter(([number]) => Number(number) >= oldest);
  return {
    ...secret,
    oldestVersion: Math.max(secret.oldestVersion, oldest > 1 ? oldest : 0),
    versions: Object.fromEntries(versions),
  };
}

/** The secret with some versions changed; numbers that are not there are passed over. */
export function changeVersions(
  secret: KvSecret,
  numbers: readonly number[],
  change: (version: KvVersion) => KvVersion,
  nowMs: number,
): KvSecret {
  const versions = Object.entries(secret.versions).map(([number, version]): [string, KvVersion] => [
    number,
    numbers.includes(Number(number)) ? change(version) : version,
  ]);
  return { ...secret, updatedAtMs: nowMs, versions: Object.fromEntries(versions) };
}
