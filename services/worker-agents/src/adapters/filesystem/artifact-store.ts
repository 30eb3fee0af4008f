import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readJsonFile, writeJsonFile } from './json-file.ts';
import { takeLock } from './process-lock.ts';
import { type CopiedTree, copyTree, type TreeLimits } from './tree-copy.ts';

/** The tickets that built an artifact and were not undone. */
const builders = z.object({ tickets: z.array(z.string()) });
const MAX_BUILDERS = 256;

export const ARTIFACT_LIMITS: TreeLimits = { files: 10_000, bytes: 256 * 1024 * 1024 };
const DIGEST = /^[0-9a-f]{64}$/;

/**
 * What BUILD made, by the digest of its content, in a folder that the workers of one machine share. The same content is
 * kept once; it stays until every ticket that built it is undone and no release uses it.
 */
export class ArtifactStore {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(folder: string): Promise<ArtifactStore> {
    await mkdir(folder, { recursive: true, mode: 0o755 });
    return new ArtifactStore(folder);
  }

  /** Undefined when there is none. */
  folderOf(digest: string): string | undefined {
    const path = join(this.#folder, digest);
    return DIGEST.test(digest) && existsSync(path) ? path : undefined;
  }

  async store(
    product: string,
    ticketId: string,
    { signal, limits = ARTIFACT_LIMITS }: { signal: AbortSignal; limits?: TreeLimits },
  ): Promise<CopiedTree> {
    const partial = join(this.#folder, `.partial-${randomUUID()}`);
    try {
      const copied = await copyTree(product, partial, { limits, signal });
      await this.exclusively(signal, async () => {
        if (this.folderOf(copied.digest) === undefined) await rename(partial, join(this.#folder, copied.digest));
        const tickets = await this.#builders(copied.digest);
        await this.#setBuilders(copied.digest, [...tickets.filter((ticket) => ticket !== ticketId), ticketId]);
      });
      return copied;
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
  }

  /**
   * Forgets that the ticket built the artifact and removes it when nobody else did and `isUsed` says no. Repeating it
   * changes nothing.
   */
  async undo(
    digest: string,
    ticketId: string,
    { signal, isUsed }: { signal: AbortSignal; isUsed: (digest: string) => Promise<boolean> },
  ): Promise<'removed' | 'kept' | 'absent'> {
    return this.exclusively(signal, async () => {
      const folder = this.folderOf(digest);
      if (folder === undefined) return 'absent';
      const left = (await this.#builders(digest)).filter((ticket) => ticket !== ticketId);
      await this.#setBuilders(digest, left);
      if (left.length > 0 || (await isUsed(digest))) return 'kept';
      const doomed = join(this.#folder, `.partial-${randomUUID()}`);
      await rename(folder, doomed);
      await rm(this.#buildersFile(digest), { force: true });
      await rm(doomed, { recursive: true, force: true });
      return 'removed';
    });
  }

  /** Nothing is removed while `work` runs. */
  async exclusively<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const lock = await takeLock(join(this.#folder, '.lock'), { signal });
    try {
      return await work();
    } finally {
      lock.release();
    }
  }

  async list(): Promise<string[]> {
    return (await readdir(this.#folder)).filter((name) => DIGEST.test(name));
  }

  #buildersFile(digest: string): string {
    return join(this.#folder, `${digest}.builders.json`);
  }

  async #builders(digest: string): Promise<string[]> {
    return (await readJsonFile(this.#buildersFile(digest), builders))?.tickets ?? [];
  }

  #setBuilders(digest: string, tickets: readonly string[]): Promise<void> {
    return writeJsonFile(this.#buildersFile(digest), { tickets: tickets.slice(-MAX_BUILDERS) });
  }
}
