import type { Backend } from './api/route.ts';
import { invalid } from './fault.ts';
import type { MountTtls } from './lease/ttl.ts';
import { newUuid, randomText } from './random-text.ts';
import type { StateSection } from './state/journal.ts';

export interface MountSettings extends MountTtls {
  readonly description: string;
  readonly options: Readonly<Record<string, string>> | null;
}

export interface Mount {
  /** From the root and with a trailing slash: `secret/`, `auth/jwt/`. */
  readonly path: string;
  readonly type: string;
  readonly accessor: string;
  readonly uuid: string;
  settings: MountSettings;
  readonly backend: Backend;
}

interface SavedMount {
  readonly path: string;
  readonly type: string;
  readonly accessor: string;
  readonly uuid: string;
  readonly settings: MountSettings;
  readonly data: unknown;
}

/** Makes the backend of a type; `undefined` for a type that is not there. `mount` is where it will stand. */
export type BackendFactory = (type: string, mount: Mount, saved: unknown) => Backend | undefined;

export const NO_SETTINGS: MountSettings = { description: '', options: null, defaultTtlSeconds: 0, maxTtlSeconds: 0 };

/** What stands where. Built-in mounts are made anew at each start and cannot be taken away. */
export class MountTable implements StateSection {
  readonly #mounts = new Map<string, Mount>();
  readonly #builtIn = new Set<string>();
  readonly #factory: BackendFactory;

  constructor(factory: BackendFactory) {
    this.#factory = factory;
  }

  addBuiltIn(path: string, type: string, description: string, backend: Backend): void {
    const accessor = `${type}_builtin`;
    this.#mounts.set(path, {
      path,
      type,
      accessor,
      uuid: accessor,
      settings: { ...NO_SETTINGS, description },
      backend,
    });
    this.#builtIn.add(path);
  }

  restore(saved: unknown): void {
    for (const { data, ...identity } of (saved ?? []) as SavedMount[]) this.#create(identity, data);
  }

  mount(path: string, type: string, settings: MountSettings): void {
    for (const present of this.#mounts.keys()) {
      if (present.startsWith(path) || path.startsWith(present)) {
        throw invalid(`path is already in use at ${present.replace(/^auth\//, '')}`);
      }
    }
    this.#create(
      { path, type, accessor: `${type}_${randomText(8).toLowerCase()}`, uuid: newUuid(), settings },
      undefined,
    );
  }

  /** The mount that is gone, or `undefined` when there was none. */
  unmount(path: string): Mount | undefined {
    if (this.#builtIn.has(path)) throw invalid(`cannot unmount "${path}"`);
    const mount = this.#mounts.get(path);
    this.#mounts.delete(path);
    return mount;
  }

  /** The mount whose path begins the given one. */
  find(path: string): Mount | undefined {
    const withSlash = path.endsWith('/') ? path : `${path}/`;
    let best: Mount | undefined;
    for (const mount of this.#mounts.values()) {
      if (withSlash.startsWith(mount.path) && mount.path.length > (best?.path.length ?? 0)) best = mount;
    }
    return best;
  }

  get(path: string): Mount | undefined {
    return this.#mounts.get(path);
  }

  all(): Mount[] {
    return [...this.#mounts.values()];
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.all().map((mount) => mount.backend.close?.()));
  }

  save(): unknown {
    return this.all()
      .filter((mount) => !this.#builtIn.has(mount.path))
      .map(({ backend, ...identity }) => ({ ...identity, data: backend.save() }));
  }

  #create(identity: Omit<Mount, 'backend'>, data: unknown): void {
    const mount = { ...identity } as { -readonly [Key in keyof Mount]: Mount[Key] };
    const backend = this.#factory(identity.type, mount, data);
    if (backend === undefined) throw invalid(`plugin not found in the catalog: ${identity.type}`);
    mount.backend = backend;
    this.#mounts.set(mount.path, mount);
  }
}
