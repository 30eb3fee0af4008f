import { VaultError } from '../errors.ts';
import type { EngineContext } from './context.ts';

export interface KvSecret<T> {
  readonly data: T;
  readonly version: number;
  readonly createdAtMs: number;
  readonly customMetadata: Readonly<Record<string, string>>;
}

export interface KvMetadata {
  readonly currentVersion: number;
  readonly oldestVersion: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly customMetadata: Readonly<Record<string, string>>;
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
  metadata(path: string, options?: WithSignal): Promise<KvMetadata>;
  writeMetadata(path: string, metadata: { customMetadata: Record<string, string> } & WithSignal): Promise<void>;
  /** Changes the named fields and leaves those of others; null removes one. Needs the capability `patch`. */
  patchMetadata(
    path: string,
    metadata: { customMetadata: Readonly<Record<string, string | null>> } & WithSignal,
  ): Promise<void>;
  /** Deletes the newest version; it can be undeleted. */
  delete(path: string, options?: WithSignal): Promise<void>;
  /** Removes every version and the metadata for good. */
  destroyAll(path: string, options?: WithSignal): Promise<void>;
  /** Names below `path`, folders with a trailing slash; empty when there is nothing. */
  list(path: string, options?: WithSignal): Promise<string[]>;
}

function wrong(path: string, field: string): VaultError {
  return new VaultError('bad-response', `Reading ${path}: ${field} is missing; is the mount a KV engine of version 2?`);
}

function timeOf(value: unknown): number {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? 0 : ms;
}

function textRecord(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

function integer(value: unknown, path: string, field: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) throw wrong(path, field);
  return value;
}

export function kvEngine({ call }: EngineContext, mount: string): KvEngine {
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
      if (typeof data !== 'object' || data === null || metadata === undefined) throw wrong(at, 'data');
      return {
        data: data as T,
        version: integer(metadata.version, at, 'metadata.version'),
        createdAtMs: timeOf(metadata.created_time),
        customMetadata: textRecord(metadata.custom_metadata),
      };
    },

    async write(path, data, { cas, signal } = {}) {
      const at = `${mount}/data/${path}`;
      const { data: metadata } = await call({
        method: 'POST',
        path: at,
        body: { data, ...(cas === undefined ? {} : { options: { cas } }) },
        operation: 'kv.write',
        // A repeated write makes one more version; with cas it fails instead of overwriting a newer one.
        safe: false,
        signal,
      });
      return { version: integer(metadata.version, at, 'version') };
    },

    async metadata(path, { signal } = {}) {
      const at = `${mount}/metadata/${path}`;
      const { data } = await call({ method: 'GET', path: at, operation: 'kv.metadata', signal });
      return {
        currentVersion: integer(data.current_version, at, 'current_version'),
        oldestVersion: typeof data.oldest_version === 'number' ? data.oldest_version : 0,
        createdAtMs: timeOf(data.created_time),
        updatedAtMs: timeOf(data.updated_time),
        customMetadata: textRecord(data.custom_metadata),
      };
    },

    async writeMetadata(path, { customMetadata, signal }) {
      const body = { custom_metadata: customMetadata };
      const at = `${mount}/metadata/${path}`;
      await call({ method: 'POST', path: at, body, operation: 'kv.write-metadata', safe: true, signal });
    },

    async patchMetadata(path, { customMetadata, signal }) {
      const body = { custom_metadata: customMetadata };
      const at = `${mount}/metadata/${path}`;
      await call({ method: 'PATCH', path: at, body, operation: 'kv.patch-metadata', safe: true, signal });
    },

    async delete(path, { signal } = {}) {
      await call({ method: 'DELETE', path: `${mount}/data/${path}`, operation: 'kv.delete', safe: true, signal });
    },

    async destroyAll(path, { signal } = {}) {
      const at = `${mount}/metadata/${path}`;
      await call({ method: 'DELETE', path: at, operation: 'kv.destroy-all', safe: true, signal });
    },

    async list(path, { signal } = {}) {
      const at = path === '' ? `${mount}/metadata/` : `${mount}/metadata/${path.replace(/\/$/, '')}/`;
      return call.list({ method: 'LIST', path: at, operation: 'kv.list', signal });
    },
  };
}
