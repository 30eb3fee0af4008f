import type { EngineContext } from './context.ts';

interface WithSignal {
  readonly signal?: AbortSignal | undefined;
}

export interface PlainSecret<T> {
  readonly data: T;
  /** When the server suggests to read it again. In seconds. */
  readonly refreshSeconds: number;
}

/** An engine that keeps one value a path. */
export interface PlainKvEngine {
  /** Rejects with `not-found` for a missing secret. */
  read<T = Record<string, unknown>>(path: string, options?: WithSignal): Promise<PlainSecret<T>>;
  /** Replaces the whole secret. */
  write(path: string, data: object, options?: WithSignal): Promise<void>;
  delete(path: string, options?: WithSignal): Promise<void>;
  /** Names below `path`, folders with a trailing slash; empty when there is nothing. */
  list(path: string, options?: WithSignal): Promise<string[]>;
}

/** The KV engine of version 1, and the cubbyhole, which has the same API. `label` starts the metrics label. */
export function plainKvEngine({ call }: EngineContext, mount: string, label: 'kv1' | 'cubbyhole'): PlainKvEngine {
  const at = (path: string): string => `${mount}/${path}`;
  return {
    async read<T>(path: string, { signal }: WithSignal = {}) {
      const request = { method: 'GET', path: at(path), operation: `${label}.read`, signal } as const;
      const { data, leaseSeconds } = await call(request);
      return { data: data as T, refreshSeconds: leaseSeconds };
    },
    async write(path, data, { signal } = {}) {
      const body = { ...data };
      await call({ method: 'POST', path: at(path), body, operation: `${label}.write`, safe: true, signal });
    },
    async delete(path, { signal } = {}) {
      await call({ method: 'DELETE', path: at(path), operation: `${label}.delete`, safe: true, signal });
    },
    async list(path, { signal } = {}) {
      const folder = path === '' ? `${mount}/` : `${at(path.replace(/\/$/, ''))}/`;
      return call.list({ method: 'LIST', path: folder, operation: `${label}.list`, signal });
    },
  };
}
