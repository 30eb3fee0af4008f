import type { EngineContext } from './context.ts';
import {
  configBody,
  integer,
  metadataBody,
  parseConfig,
  parseMetadata,
  textRecord,
  timeOf,
  wrongAnswer,
} from './kv-answers.ts';

export interface KvSecret<T> {
  readonly data: T;
  readonly version: number;
  readonly createdAtMs: number;
  readonly customMetadata: Readonly<Record<string, string>>;
}

export interface KvVersion {
  readonly version: number;
  readonly createdAtMs: number;
  /** When it was deleted, or will be by itself; absent for one that stays. */
  readonly deletedAtMs?: number;
  /** Its data is gone for good. */
  readonly destroyed: boolean;
}

/** What a mount, or one secret, does with its versions. */
export interface KvConfig {
  /** How many versions are kept. For a mount 0 means the server's default, 10; for a secret, the mount's. */
  readonly maxVersions: number;
  /** Whether every write must name the version it replaces. */
  readonly casRequired: boolean;
  /** When a version is deleted by itself. In seconds; 0 for never. */
  readonly deleteVersionAfterSeconds: number;
}

export interface KvMetadata extends KvConfig {
  readonly currentVersion: number;
  readonly oldestVersion: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly customMetadata: Readonly<Record<string, string>>;
  /** Those that are kept, the oldest first. */
  readonly versions: readonly KvVersion[];
}

export interface KvMetadataChange extends Partial<KvConfig> {
  readonly customMetadata?: Readonly<Record<string, string>>;
}

interface WithSignal {
  readonly signal?: AbortSignal | undefined;
}

/** The KV engine, version 2. Paths are without the `data/` and `metadata/` of its API. */
export interface KvEngine {
  /** `version`: default the newest. Rejects with `not-found` for a missing secret and a deleted version. */
  read<T = Record<string, unknown>>(path: string, options?: WithSignal & { version?: number }): Promise<KvSecret<T>>;
  /** `cas`: the version that must be current, 0 for "must not exist"; otherwise `cas-mismatch`. */
  write(path: string, data: object, options?: WithSignal & { cas?: number }): Promise<{ version: number }>;
  /**
   * Changes single fields of the newest version, as JSON Merge Patch does (RFC 7396): null removes a field, what is
   * not named stays. Rejects with `not-found` when there is no version that is alive. The policy needs `patch`.
   */
  patch(path: string, data: object, options?: WithSignal & { cas?: number }): Promise<{ version: number }>;
  metadata(path: string, options?: WithSignal): Promise<KvMetadata>;
  /** Settings that are not named stay; `customMetadata` replaces all of it. */
  writeMetadata(path: string, metadata: KvMetadataChange & WithSignal): Promise<void>;
  /** Settings and entries of `customMetadata` that are not named stay; null removes an entry. */
  patchMetadata(
    path: string,
    change: Partial<KvConfig> & { customMetadata?: Readonly<Record<string, string | null>> } & WithSignal,
  ): Promise<void>;
  /** Deletes the newest version; it can be undeleted. */
  delete(path: string, options?: WithSignal): Promise<void>;
  /** Deletes these versions; they can be undeleted. */
  deleteVersions(path: string, versions: readonly number[], options?: WithSignal): Promise<void>;
  undelete(path: string, versions: readonly number[], options?: WithSignal): Promise<void>;
  /** Removes the data of these versions for good. */
  destroy(path: string, versions: readonly number[], options?: WithSignal): Promise<void>;
  /** Removes every version and the metadata for good. */
  destroyAll(path: string, options?: WithSignal): Promise<void>;
  /** Names below `path`, folders with a trailing slash; empty when there is nothing. */
  list(path: string, options?: WithSignal): Promise<string[]>;
  /** The settings of the mount. */
  config(options?: WithSignal): Promise<KvConfig>;
  /** Settings that are not named stay. */
  configure(config: Partial<KvConfig> & WithSignal): Promise<void>;
}

export function kvEngine({ call }: EngineContext, mount: string): KvEngine {
  type Change = (path: string, data: object, options?: WithSignal & { cas?: number }) => Promise<{ version: number }>;
  type ChangeVersions = (path: string, versions: readonly number[], options?: WithSignal) => Promise<void>;

  const store =
    (method: 'POST' | 'PATCH', operation: string): Change =>
    async (path, data, { cas, signal } = {}) => {
      const at = `${mount}/data/${path}`;
      const body = { data, ...(cas === undefined ? {} : { options: { cas } }) };
      // A repeated write makes one more version; with cas it fails instead of overwriting a newer one.
      const { data: metadata } = await call({ method, path: at, body, operation, safe: false, signal });
      return { version: integer(metadata.version, at, 'version') };
    };
  const changeVersions =
    (verb: 'delete' | 'undelete' | 'destroy', operation: string): ChangeVersions =>
    async (path, versions, { signal } = {}) => {
      const body = { versions: [...versions] };
      await call({ method: 'POST', path: `${mount}/${verb}/${path}`, body, operation, safe: true, signal });
    };

  return {
    async read<T>(path: string, { version, signal }: WithSignal & { version?: number } = {}) {
      const at = `${mount}/data/${path}`;
      const { data: body } = await call({
        method: 'GET',
        path: at,
        ...(version === undefined ? {} : { query: { version: String(version) } }),
        operation: 'kv.read',
        signal,
      });
      const { data, metadata } = body as { data?: unknown; metadata?: Record<string, unknown> };
      if (typeof data !== 'object' || data === null || metadata === undefined) throw wrongAnswer(at, 'data');
      return {
        data: data as T,
        version: integer(metadata.version, at, 'metadata.version'),
        createdAtMs: timeOf(metadata.created_time),
        customMetadata: textRecord(metadata.custom_metadata),
      };
    },

    write: store('POST', 'kv.write'),
    patch: store('PATCH', 'kv.patch'),

    async metadata(path, { signal } = {}) {
      const at = `${mount}/metadata/${path}`;
      const { data } = await call({ method: 'GET', path: at, operation: 'kv.metadata', signal });
      return parseMetadata(data, at);
    },

    async writeMetadata(path, { signal, ...change }) {
      const body = metadataBody(change);
      const at = `${mount}/metadata/${path}`;
      await call({ method: 'POST', path: at, body, operation: 'kv.write-metadata', safe: true, signal });
    },

    async patchMetadata(path, { signal, customMetadata, ...config }) {
      const body = { ...configBody(config), ...(customMetadata && { custom_metadata: customMetadata }) };
      const at = `${mount}/metadata/${path}`;
      await call({ method: 'PATCH', path: at, body, operation: 'kv.patch-metadata', safe: true, signal });
    },

    async delete(path, { signal } = {}) {
      await call({ method: 'DELETE', path: `${mount}/data/${path}`, operation: 'kv.delete', safe: true, signal });
    },

    deleteVersions: changeVersions('delete', 'kv.delete-versions'),
    undelete: changeVersions('undelete', 'kv.undelete'),
    destroy: changeVersions('destroy', 'kv.destroy'),

    async destroyAll(path, { signal } = {}) {
      const at = `${mount}/metadata/${path}`;
      await call({ method: 'DELETE', path: at, operation: 'kv.destroy-all', safe: true, signal });
    },

    async list(path, { signal } = {}) {
      const at = path === '' ? `${mount}/metadata/` : `${mount}/metadata/${path.replace(/\/$/, '')}/`;
      return call.list({ method: 'LIST', path: at, operation: 'kv.list', signal });
    },

    async config({ signal } = {}) {
      const { data } = await call({ method: 'GET', path: `${mount}/config`, operation: 'kv.config', signal });
      return parseConfig(data);
    },

    async configure({ signal, ...config }) {
      const body = configBody(config);
      await call({ method: 'POST', path: `${mount}/config`, body, operation: 'kv.configure', safe: true, signal });
    },
  };
}
