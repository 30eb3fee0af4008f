import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { TicketFailure } from '../../domain/failure.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { readJsonFile, writeJsonFile } from './json-file.ts';
import { takeLock } from './process-lock.ts';

const release = z.object({
  name: z.string(),
  artifact: z.string(),
  fencing: z.int().positive(),
  ticket: z.string(),
  /** What was current before; null when nothing was. */
  previous: z.string().nullable(),
});
type Release = z.infer<typeof release>;

const targetState = z.object({ newest: z.int().nonnegative(), releases: z.array(release) });
type TargetState = z.infer<typeof targetState>;

const KEPT_RELEASES = 5;
const TARGET = /^[a-z0-9][a-z0-9-]{0,62}$/;

export interface DeployRequest {
  readonly target: string;
  readonly artifact: string;
  readonly ticketId: string;
  readonly fencing: number;
  readonly signal: AbortSignal;
}

export interface UndoRequest {
  readonly target: string;
  readonly release: string;
  /** The ticket that deployed it. */
  readonly ticketId: string;
  /** Of the ticket that undoes. */
  readonly fencing: number;
  readonly signal: AbortSignal;
}

export interface Deployed {
  readonly release: string;
  readonly previous: string | undefined;
}

export type Undone = 'switched' | 'already' | 'superseded';

/**
 * Releases of each target: `releases/<artifact>-<fencing token>` and a link `current`, replaced by rename so that a reader
 * sees the old release or the new one. All changes happen under the target's lock, and an attempt with a smaller fencing
 * token than the newest that was seen is refused, however late it comes.
 */
export class ReleaseStore {
  readonly #folder: string;
  readonly #artifacts: ArtifactStore;

  private constructor(folder: string, artifacts: ArtifactStore) {
    this.#folder = folder;
    this.#artifacts = artifacts;
  }

  static async open(folder: string, artifacts: ArtifactStore): Promise<ReleaseStore> {
    await mkdir(folder, { recursive: true, mode: 0o755 });
    return new ReleaseStore(folder, artifacts);
  }

  async deploy(request: DeployRequest): Promise<Deployed> {
    const { target, artifact, ticketId, fencing, signal } = request;
    return this.#locked(target, fencing, signal, async (state, place) => {
      const name = `${artifact}-${fencing}`;
      await this.#lay(place, name, artifact, signal);
      const current = await currentOf(place);
      const found = state.releases.find((entry) => entry.name === current);
      // An earlier attempt of this ticket may have switched and died before it could say so: what it replaced counts.
      const previous = found?.ticket === ticketId ? found.previous : (current ?? null);
      const others = state.releases.filter((entry) => entry.name !== name);
      const releases = [...others, { name, artifact, fencing, ticket: ticketId, previous }];
      await writeState(place, { newest: fencing, releases });
      signal.throwIfAborted();
      await switchTo(place, name);
      // From here on the release is current: whatever fails now must not make the deployment a failed one.
      await prune(place, { newest: fencing, releases }, new Set([name, previous ?? name])).catch(() => undefined);
      return { release: name, previous: previous ?? undefined };
    });
  }

  /** Switches back to the release before, if the one that is undone is still current. Repeating it changes nothing. */
  async undo(request: UndoRequest): Promise<Undone> {
    const { target, ticketId, fencing, signal } = request;
    return this.#locked(target, fencing, signal, async (state, place) => {
      const mine = state.releases.filter((entry) => entry.ticket === ticketId || entry.name === request.release);
      const current = await currentOf(place);
      const undone = mine.find((entry) => entry.name === current);
      signal.throwIfAborted();
      if (undone !== undefined) await switchBack(place, undone);
      await writeState(place, { newest: state.newest, releases: without(state.releases, mine) });
      for (const { name } of mine) await rm(join(place, 'releases', name), { recursive: true, force: true });
      if (undone !== undefined) return 'switched';
      return mine.length === 0 ? 'already' : 'superseded';
    });
  }

  /** The folder of the release that is current, if there is one. */
  async currentFolder(target: string): Promise<string | undefined> {
    const place = this.#place(target);
    const current = await currentOf(place);
    return current === undefined ? undefined : join(place, 'releases', current);
  }

  /** Whether a release of any target was made of the artifact, or is being made of it. */
  async uses(artifact: string): Promise<boolean> {
    for (const target of await readdir(this.#folder)) {
      const names = await readdir(join(this.#folder, target, 'releases')).catch(() => []);
      if (names.some((name) => name.replace(/^\.partial-/, '').startsWith(`${artifact}-`))) return true;
    }
    return false;
  }

  #place(target: string): string {
    if (!TARGET.test(target)) {
      throw new TicketFailure('parameters', 'target: lower-case letters, digits and dashes, at most 63');
    }
    return join(this.#folder, target);
  }

  async #locked<T>(
    target: string,
    fencing: number,
    signal: AbortSignal,
    work: (state: TargetState, place: string) => Promise<T>,
  ): Promise<T> {
    const place = this.#place(target);
    await mkdir(join(place, 'releases'), { recursive: true, mode: 0o755 });
    const lock = await takeLock(join(place, '.lock'), { signal });
    try {
      const state = (await readJsonFile(join(place, 'state.json'), targetState)) ?? { newest: 0, releases: [] };
      if (fencing < state.newest) {
        throw new TicketFailure('fenced', `A newer attempt (${state.newest}) than this one (${fencing}) was here`);
      }
      // Written before anything changes, so that an older attempt is refused even if this one dies now.
      if (fencing > state.newest) await writeState(place, { ...state, newest: fencing });
      return await work({ ...state, newest: fencing }, place);
    } finally {
      lock.release();
    }
  }

  async #lay(place: string, name: string, artifact: string, signal: AbortSignal): Promise<void> {
    const folder = join(place, 'releases', name);
    if (existsSync(folder)) return;
    await this.#artifacts.exclusively(signal, async () => {
      const source = this.#artifacts.folderOf(artifact);
      if (source === undefined) throw new TicketFailure('parameters', 'artifact: there is none with this digest');
      const partial = join(place, 'releases', `.partial-${name}`);
      await rm(partial, { recursive: true, force: true });
      await cp(source, partial, { recursive: true });
      await rename(partial, folder);
    });
  }
}

async function currentOf(place: string): Promise<string | undefined> {
  try {
    return (await readlink(join(place, 'current'))).replace(/^releases\//, '');
  } catch {
    return undefined;
  }
}

async function switchTo(place: string, name: string): Promise<void> {
  const fresh = join(place, '.current');
  await rm(fresh, { force: true });
  await symlink(join('releases', name), fresh);
  await rename(fresh, join(place, 'current'));
}

async function switchBack(place: string, { previous }: Release): Promise<void> {
  if (previous === null) {
    await rm(join(place, 'current'));
    return;
  }
  if (!existsSync(join(place, 'releases', previous))) {
    throw new TicketFailure('execution', 'The release before the undone one is no longer kept');
  }
  await switchTo(place, previous);
}

/** As if they had never been: what was deployed over one of them goes back to what that one had replaced. */
function without(releases: readonly Release[], undone: readonly Release[]): Release[] {
  const replaced = new Map(undone.map(({ name, previous }) => [name, previous]));
  const before = (name: string | null): string | null => {
    const further = name === null ? undefined : replaced.get(name);
    return further === undefined ? name : before(further);
  };
  return releases
    .filter(({ name }) => !replaced.has(name))
    .map((entry) => ({ ...entry, previous: before(entry.previous) }));
}

function writeState(place: string, state: TargetState): Promise<void> {
  return writeJsonFile(join(place, 'state.json'), state);
}

/** Keeps the last five beside those that are needed. */
async function prune(place: string, state: TargetState, needed: ReadonlySet<string>): Promise<void> {
  const last = new Set(state.releases.slice(-KEPT_RELEASES).map(({ name }) => name));
  const kept = (name: string): boolean => last.has(name) || needed.has(name);
  for (const name of await readdir(join(place, 'releases'))) {
    if (!kept(name)) await rm(join(place, 'releases', name), { recursive: true, force: true });
  }
  await writeState(place, { ...state, releases: state.releases.filter(({ name }) => kept(name)) });
}
