import type { Agent, AgentType } from './agent.ts';
import { RegistryError } from './registry-error.ts';

export type ChangeType = 'REGISTERED' | 'UPDATED' | 'DEREGISTERED' | 'STATUS_CHANGED' | 'NOTIFIED';

export interface Notification {
  readonly type: string;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** One change of the registry. Revisions are consecutive. */
export interface Change {
  readonly revision: number;
  readonly type: ChangeType;
  /** The agent after the change; before it, when the agent was removed. */
  readonly agent: Agent;
  readonly atMs: number;
  /** What the agent was before an update that made it another type. */
  readonly previousType?: AgentType;
  /** Set with NOTIFIED only. */
  readonly notification?: Notification;
}

/**
 * The revision of a registry that starts empty: microseconds, which no changes outrun. So a revision from before, when
 * the same place held other changes, is never taken for one of now.
 */
export function firstRevisionAt(nowMs: number): number {
  return Math.floor(nowMs) * 1_000;
}

/** The latest changes, by consecutive revision. */
export class ChangeLog {
  readonly #capacity: number;
  #changes: Change[] = [];
  #revision: number;

  /** `revision` is the newest change that happened before the log begins. */
  constructor({ capacity = 10_000, revision = 0 }: { capacity?: number | undefined; revision?: number } = {}) {
    this.#capacity = capacity;
    this.#revision = revision;
  }

  /** The newest change, or where the log began. */
  get revision(): number {
    return this.#revision;
  }

  /** The oldest revision after which nothing is missing. */
  get floor(): number {
    return this.#revision - this.#changes.length;
  }

  append(change: Change): void {
    if (change.revision !== this.#revision + 1) {
      throw new RangeError(`Change ${change.revision} does not follow revision ${this.#revision}`);
    }
    this.#changes.push(change);
    this.#revision = change.revision;
    if (this.#changes.length >= 2 * this.#capacity) this.#changes = this.#changes.slice(-this.#capacity);
  }

  /** The newest `count` changes, oldest first. */
  latest(count: number): readonly Change[] {
    return count === 0 ? [] : this.#changes.slice(-count);
  }

  /** Up to `limit` changes that follow `revision`. Throws `revision_lost` when some of them are not there. */
  after(revision: number, limit = 256): readonly Change[] {
    this.check(revision);
    const start = revision - this.floor;
    return this.#changes.slice(start, start + limit);
  }

  /** Throws `revision_lost` when the changes after `revision` are not there. */
  check(revision: number): void {
    if (revision > this.#revision) {
      throw new RegistryError(
        'revision_lost',
        `Revision ${revision} has not been reached, the newest is ${this.#revision}: watch again with after_revision 0`,
      );
    }
    if (revision < this.floor) {
      throw new RegistryError(
        'revision_lost',
        `Changes are kept from revision ${this.floor} on, not from ${revision}: watch again with after_revision 0`,
      );
    }
  }
}
