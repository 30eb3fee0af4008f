import { randomBytes } from 'node:crypto';
import { type Clock, Secret, sleep, systemClock } from '../common/index.ts';
import { isVaultError, type KvEngine, type VaultClient } from '../vault/index.ts';
import { KvUserError } from './errors.ts';
import { GENERATION_PREFIX, generationField } from './kv-secret.ts';
import type { UserAdmin } from './user-admin.ts';

/** What has just been done; a program that ends after any of them is made up for by the next run. */
export type KvUserStep = 'recorded' | 'created' | 'written' | 'moved' | 'deleted';

export interface RotateKvUserOptions {
  readonly client: VaultClient;
  /** Of the KV entry with `username` and `password`; what else it has is kept. */
  readonly path: string;
  /** Default `secret`. */
  readonly mount?: string;
  readonly users: UserAdmin;
  /** Consumers to wait for besides those that report by themselves, see `kvSecret`. */
  readonly consumers?: readonly string[];
  /** Go on although nobody reports and nobody is named. Default false. */
  readonly allowNoConsumers?: boolean;
  /** What new names begin with; default the path with dashes. */
  readonly usernamePrefix?: string;
  /** For an entry that does not exist yet: the user whose rights the first one gets. */
  readonly template?: string;
  /**
   * How long consumers may take. Those that are late count as gone: their report is removed and the old user deleted.
   * In milliseconds, 0 or more; default 300 000.
   */
  readonly deadlineMs?: number;
  /** In milliseconds, from 50; default 1 000. */
  readonly pollMs?: number;
  /** Hears of every step; what it throws ends the rotation there. */
  readonly onStep?: (step: KvUserStep, username: string) => unknown;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** Unguessable text of so many bytes; default from the system's generator. */
  readonly randomText?: (bytes: number) => string;
}

export interface KvUserRotation {
  /** The user that the entry names now. */
  readonly username: string;
  readonly version: number;
  /** The one that it replaced; undefined for the first. */
  readonly previous: string | undefined;
  /** Users that earlier, interrupted runs had left behind, now deleted. */
  readonly repaired: readonly string[];
  /** Consumers that had not moved at the deadline. */
  readonly behind: readonly string[];
}

/**
 * Users this program has made are noted in the metadata of the entry before they exist: `made`, and `replaced` from
 * the moment a successor is. Whoever is noted and is not the one that the entry names is to be deleted.
 */
const LOGIN_PREFIX = 'login.';

interface Entry {
  readonly data: Readonly<Record<string, unknown>>;
  readonly username: string | undefined;
  /** 0 when there is none. */
  readonly version: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Replaces a user whose login is kept in KV by another, without a moment in which a consumer holds a dead login: makes
 * user B, writes it, waits until every consumer says that it uses nothing older, deletes user A. What an interrupted
 * run has left is put right first. Two runs at a time do not harm each other; one of them may end with
 * `changed-meanwhile`.
 */
export async function rotateKvUser(options: RotateKvUserOptions): Promise<KvUserRotation> {
  return new KvUserReplacement(options).run();
}

class KvUserReplacement {
  readonly #options: RotateKvUserOptions;
  readonly #engine: KvEngine;
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #pollMs: number;
  readonly #behind = new Set<string>();

  constructor(options: RotateKvUserOptions) {
    this.#options = options;
    this.#engine = options.client.kv(options.mount);
    this.#clock = options.clock ?? systemClock;
    this.#deadlineMs = options.deadlineMs ?? 300_000;
    this.#pollMs = options.pollMs ?? 1_000;
    if (!(this.#deadlineMs >= 0)) throw new RangeError('deadlineMs: must be 0 or more');
    if (!(this.#pollMs >= 50)) throw new RangeError('pollMs: must be 50 or more');
  }

  async run(): Promise<KvUserRotation> {
    const found = await this.#read();
    const { consumers = [], allowNoConsumers = false } = this.#options;
    const awaited =
      consumers.length > 0 || Object.keys(found.metadata).some((key) => key.startsWith(GENERATION_PREFIX));
    if (found.version > 0 && !awaited && !allowNoConsumers) {
      throw this.#failure(
        'no-consumers',
        'no consumer reports its generation and none is named: name them or allow it',
      );
    }
    const repaired = await this.#repair(found);
    const { username, version, previous } = await this.#replace(await this.#read());
    return { username, version, previous, repaired, behind: [...this.#behind] };
  }

  /** Deletes what earlier runs have left. */
  async #repair(entry: Entry): Promise<string[]> {
    const left = Object.keys(entry.metadata)
      .filter((key) => key.startsWith(LOGIN_PREFIX))
      .map((key) => key.slice(LOGIN_PREFIX.length))
      .filter((name) => name !== entry.username);
    if (left.length === 0) return [];
    let { version } = entry;
    const unpublished = left.some((name) => entry.metadata[LOGIN_PREFIX + name] === 'made');
    // Its maker may only be slow. After a newer version it cannot publish that user any more.
    if (unpublished && version > 0) version = await this.#write(entry.data, version);
    if (version > 0) await this.#untilMoved(version);
    for (const name of left) await this.#delete(name);
    return left;
  }

  async #replace(entry: Entry): Promise<{ username: string; version: number; previous: string | undefined }> {
    const { users, onStep, signal, template, path } = this.#options;
    const { usernamePrefix = path.replaceAll('/', '-') } = this.#options;
    const randomText = this.#options.randomText ?? ((bytes) => randomBytes(bytes).toString('hex'));
    const { username: previous } = entry;
    const username = `${usernamePrefix}-${randomText(6)}`;
    const password = new Secret(randomText(24));
    await this.#note(entry, {
      [LOGIN_PREFIX + username]: 'made',
      ...(previous === undefined ? {} : { [LOGIN_PREFIX + previous]: 'replaced' }),
    });
    await onStep?.('recorded', username);
    await users.createUser({ username, password }, { previous: previous ?? template, signal });
    await onStep?.('created', username);
    let version: number;
    try {
      version = await this.#write({ ...entry.data, username, password: password.reveal() }, entry.version);
    } catch (error) {
      // Any other failure leaves open whether it was written: the next run will see.
      if (error instanceof KvUserError) await this.#delete(username);
      throw error;
    }
    await onStep?.('written', username);
    await this.#untilMoved(version);
    await onStep?.('moved', username);
    if (previous !== undefined) {
      await this.#delete(previous);
      await onStep?.('deleted', previous);
    }
    return { username, version, previous };
  }

  async #read(): Promise<Entry> {
    const { path, signal } = this.#options;
    try {
      const { currentVersion, customMetadata: metadata } = await this.#engine.metadata(path, { signal });
      if (currentVersion === 0) return { data: {}, username: undefined, version: 0, metadata };
      const { data, version, customMetadata } = await this.#engine.read(path, { signal });
      const { username } = data;
      if (typeof username !== 'string') throw this.#failure('bad-entry', 'the entry has no text "username"');
      return { data, username, version, metadata: customMetadata };
    } catch (error) {
      if (!isVaultError(error, 'not-found')) throw error;
      return { data: {}, username: undefined, version: 0, metadata: {} };
    }
  }

  /** There is nothing to patch before the first version. */
  async #note(entry: Entry, fields: Record<string, string>): Promise<void> {
    const { path, signal } = this.#options;
    if (entry.version > 0) return this.#engine.patchMetadata(path, { customMetadata: fields, signal });
    await this.#engine.writeMetadata(path, { customMetadata: { ...entry.metadata, ...fields }, signal });
  }

  async #write(data: object, cas: number): Promise<number> {
    const { path, signal } = this.#options;
    try {
      return (await this.#engine.write(path, data, { cas, signal })).version;
    } catch (error) {
      if (!isVaultError(error, 'cas-mismatch')) throw error;
      throw this.#failure('changed-meanwhile', 'somebody else wrote the entry: run again', error);
    }
  }

  async #delete(username: string): Promise<void> {
    const { path, users, signal } = this.#options;
    await users.deleteUser(username, { signal });
    await this.#engine.patchMetadata(path, { customMetadata: { [LOGIN_PREFIX + username]: null }, signal });
  }

  /** Waits until every consumer uses `version` or a newer one, and no longer than the deadline. */
  async #untilMoved(version: number): Promise<void> {
    const { path, signal } = this.#options;
    const endMs = this.#clock.now() + this.#deadlineMs;
    for (;;) {
      const { customMetadata } = await this.#engine.metadata(path, { signal });
      const late = this.#late(customMetadata, version);
      if (late.length === 0) return;
      if (this.#clock.now() >= endMs) return this.#giveUp(late);
      await sleep(Math.min(this.#pollMs, endMs - this.#clock.now()), { clock: this.#clock, signal });
    }
  }

  #late(metadata: Readonly<Record<string, string>>, version: number): string[] {
    const { consumers = [] } = this.#options;
    const reporting = Object.keys(metadata)
      .filter((key) => key.startsWith(GENERATION_PREFIX))
      .map((key) => key.slice(GENERATION_PREFIX.length));
    const awaited = new Set([...consumers, ...reporting]);
    return [...awaited].filter((consumer) => !(Number(metadata[generationField(consumer)]) >= version));
  }

  /** One that lives reports again at its next poll. */
  async #giveUp(late: readonly string[]): Promise<void> {
    const { path, signal } = this.#options;
    for (const consumer of late) this.#behind.add(consumer);
    const customMetadata = Object.fromEntries(late.map((consumer) => [generationField(consumer), null]));
    await this.#engine.patchMetadata(path, { customMetadata, signal });
  }

  #failure(code: KvUserError['code'], rule: string, cause?: unknown): KvUserError {
    const message = `Replacing the user of ${this.#options.path}: ${rule}`;
    return new KvUserError(code, message, { cause, retryable: code === 'changed-meanwhile' });
  }
}
