import { type Clock, MAX_TIMER_MS, messageOf, systemClock } from '@neural-hive/security/common';
import {
  type BoardEntry,
  type BoardReport,
  type ListedCredential,
  type LoadPace,
  type LoadStatistics,
  type RotationLike,
  type RotationRecord,
  totalsOf,
} from './board-entry.ts';
import { LoadGenerator } from './load-generator.ts';
import type { Logger } from './logger.ts';

export interface CredentialBoardOptions {
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** How many operations must fall into a rotation before it counts as observed. Default 50. */
  readonly minOperations?: number;
  /** The longest wait for them, after which the rotation is recorded with what there was. Default 20 s: a busy machine is slow. */
  readonly settleTimeoutMs?: number;
  /** For entries that do not say. */
  readonly pace?: LoadPace;
}

interface Place {
  readonly entry: BoardEntry;
  readonly load: LoadGenerator | undefined;
  /** Observed changes that were announced as commanded. */
  expected: number;
  /** Whether the load ran through the drain of the rotation that ends next. */
  drainedUnderLoad: boolean;
  rotating: Promise<unknown>;
  readonly stop: (() => void)[];
}

/**
 * Every credential that a process holds: what it is, and what happened to its users while it changed. The load uses
 * each credential in the background, so that a rotation that disturbs anyone is seen.
 */
export class CredentialBoard {
  readonly #options: Required<Pick<CredentialBoardOptions, 'minOperations' | 'settleTimeoutMs'>> &
    CredentialBoardOptions & { readonly clock: Clock };
  readonly #places = new Map<string, Place>();
  readonly #records: RotationRecord[] = [];
  readonly #recording = new Set<Promise<unknown>>();

  constructor(options: CredentialBoardOptions = {}) {
    this.#options = { minOperations: 50, settleTimeoutMs: 20_000, clock: systemClock, ...options };
  }

  /** Returns the function that takes the credential off the board. */
  register(entry: BoardEntry): () => void {
    if (this.#places.has(entry.name)) throw new TypeError(`The credential "${entry.name}" is on the board already`);
    const { logger, clock, pace } = this.#options;
    const operate = entry.operate?.bind(entry);
    const load = operate && new LoadGenerator({ ...pace, ...entry.pace, name: entry.name, operate, clock, logger });
    const place: Place = { entry, load, expected: 0, drainedUnderLoad: false, rotating: Promise.resolve(), stop: [] };
    this.#places.set(entry.name, place);
    if (load !== undefined) this.#observe(place, load);
    return () => {
      for (const stop of place.stop) stop();
      this.#places.delete(entry.name);
      void load?.stop();
    };
  }

  list(): readonly ListedCredential[] {
    return [...this.#places.values()].map(({ entry }) => {
      const { generation, ttlSeconds, expiresAtMs } = entry.describe();
      return {
        name: entry.name,
        kind: entry.kind,
        generation,
        ttlSeconds: Number.isFinite(ttlSeconds) ? ttlSeconds : 0,
        expiresAtMs: Number.isFinite(expiresAtMs) ? expiresAtMs : null,
      };
    });
  }

  /** The names that `rotate` takes. */
  rotatable(): readonly string[] {
    return [...this.#places.values()].filter(({ entry }) => entry.rotate !== undefined).map(({ entry }) => entry.name);
  }

  has(name: string): boolean {
    return this.#places.has(name);
  }

  startLoad(): void {
    for (const { load } of this.#places.values()) load?.start();
  }

  /** Lets rotations that are being watched have their operations first. */
  async stopLoad(): Promise<LoadStatistics> {
    await Promise.allSettled([...this.#recording]);
    await Promise.all([...this.#places.values()].map(({ load }) => load?.stop()));
    return this.loadStatistics();
  }

  loadStatistics(): LoadStatistics {
    const loads = [...this.#places.values()].flatMap(({ entry, load }) => (load ? [{ name: entry.name, load }] : []));
    return {
      running: loads.some(({ load }) => load.running),
      credentials: loads.map(({ name, load }) => ({ name, ...load.log.totals })),
    };
  }

  /**
   * Rotates one credential now, on the code path of a due rotation, while the load uses it. Resolves with the record
   * once the old generation is drained and enough operations fell into the rotation. Rotations of one credential queue.
   */
  rotate(name: string): Promise<RotationRecord> {
    const place = this.#place(name);
    const { rotate } = place.entry;
    if (rotate === undefined) throw new TypeError(`The credential "${name}" cannot be rotated from here`);
    const run = (): Promise<RotationRecord> => this.#forced(place, () => rotate.call(place.entry, 'forced'));
    const result = place.rotating.then(run, run);
    place.rotating = result;
    return result;
  }

  /** The next `times` observed changes of the credential are commanded by its authority and count as forced. */
  expect(name: string, times = 1): void {
    const place = this.#place(name);
    if (place.entry.onObserved === undefined) {
      throw new TypeError(`The credential "${name}" is not changed by others: rotate it instead`);
    }
    place.expected += times;
  }

  /** Waits for rotations that are still being recorded. */
  async report(): Promise<BoardReport> {
    await Promise.allSettled([...this.#recording]);
    return {
      credentials: this.list(),
      rotations: [...this.#records],
      totals: totalsOf(this.#records),
      load: this.loadStatistics(),
    };
  }

  /** Ends the load without waiting for rotations. Idempotent. */
  async close(): Promise<void> {
    for (const { stop } of this.#places.values()) for (const end of stop) end();
    await Promise.all([...this.#places.values()].map(({ load }) => load?.stop()));
  }

  #place(name: string): Place {
    const place = this.#places.get(name);
    if (place === undefined) throw new TypeError(`There is no credential "${name}" on the board`);
    return place;
  }

  #observe(place: Place, load: LoadGenerator): void {
    const { entry } = place;
    const { clock } = this.#options;
    const track = (recording: Promise<unknown>): void => {
      this.#recording.add(recording);
      void recording.catch(() => undefined).finally(() => this.#recording.delete(recording));
    };
    const detach = entry.attach?.({
      publish: () => undefined,
      drain: async (_previous, { deadlineMs, signal }) => {
        const publishedAtMs = clock.now();
        place.drainedUnderLoad = load.running && deadlineMs > publishedAtMs;
        if (place.drainedUnderLoad) {
          const leftMs = Math.min(deadlineMs - publishedAtMs, MAX_TIMER_MS);
          const ending = AbortSignal.any([signal, AbortSignal.timeout(leftMs)]);
          const watched = load.during(() => this.#enough(load, publishedAtMs, ending));
          track(watched);
          await watched;
        }
        return { terminated: 0 };
      },
    });
    const offRotation = entry.onRotation?.((rotation) => {
      const underLoad = entry.attach === undefined ? load.running : place.drainedUnderLoad;
      place.drainedUnderLoad = false;
      // One that failed before it was published disturbed nobody, and is tried again.
      if (rotation.reason === 'forced' || !underLoad || rotation.ok === false) return;
      const now = clock.now();
      const interval = { startedAtMs: rotation.startedAtMs || now, endedAtMs: rotation.drainedAtMs || now };
      const reason = rotation.reason === 'token-replaced' ? 'cascade' : 'due';
      track(this.#record(place, load, reason, interval, rotation));
    });
    const offObserved = entry.onObserved?.(() => {
      const reason = place.expected > 0 ? 'forced' : 'due';
      if (place.expected > 0) place.expected -= 1;
      else if (!load.running) return;
      const startedAtMs = clock.now();
      track(
        load.during(async () => {
          await this.#enough(load, startedAtMs);
          await this.#record(place, load, reason, { startedAtMs, endedAtMs: clock.now() }, {});
        }),
      );
    });
    for (const stop of [detach, offRotation, offObserved]) if (stop !== undefined) place.stop.push(stop);
  }

  async #forced(place: Place, rotate: () => Promise<RotationLike>): Promise<RotationRecord> {
    const { clock } = this.#options;
    const { load } = place;
    const calledAtMs = clock.now();
    const attempt = async (): Promise<RotationLike> => {
      try {
        return await rotate();
      } catch (error) {
        return { ok: false, error };
      }
    };
    if (load === undefined) {
      const rotation = await attempt();
      return this.#add(place, 'forced', { startedAtMs: calledAtMs, endedAtMs: clock.now() }, rotation, NO_OPERATIONS);
    }
    return load.during(async () => {
      const rotation = await attempt();
      const startedAtMs = rotation.startedAtMs || calledAtMs;
      let endedAtMs = rotation.drainedAtMs || clock.now();
      const { operationsDuring } = load.log.statistics({ startedAtMs, endedAtMs });
      if (operationsDuring < this.#options.minOperations) {
        // The credential's own rotation was too quick to be judged by so few operations: watch its aftermath too.
        await this.#enough(load, startedAtMs);
        endedAtMs = clock.now();
      }
      return this.#record(place, load, 'forced', { startedAtMs, endedAtMs }, rotation);
    });
  }

  #enough(load: LoadGenerator, sinceMs: number, signal?: AbortSignal): Promise<boolean> {
    const limit = AbortSignal.timeout(this.#options.settleTimeoutMs);
    const until = signal === undefined ? limit : AbortSignal.any([signal, limit]);
    return load.log.waitForCompleted(this.#options.minOperations, sinceMs, until);
  }

  async #record(
    place: Place,
    load: LoadGenerator,
    reason: RotationRecord['reason'],
    interval: { startedAtMs: number; endedAtMs: number },
    rotation: RotationLike,
  ): Promise<RotationRecord> {
    await load.log.waitForInFlight(interval.endedAtMs, AbortSignal.timeout(this.#options.settleTimeoutMs));
    return this.#add(place, reason, interval, rotation, load.log.statistics(interval));
  }

  #add(
    place: Place,
    reason: RotationRecord['reason'],
    interval: { startedAtMs: number; endedAtMs: number },
    rotation: RotationLike,
    statistics: typeof NO_OPERATIONS,
  ): RotationRecord {
    const record: RotationRecord = {
      name: place.entry.name,
      reason,
      ok: rotation.ok ?? true,
      ...(rotation.error !== undefined && { error: messageOf(rotation.error) }),
      startedAtMs: interval.startedAtMs,
      durationMs: interval.endedAtMs - interval.startedAtMs,
      ...statistics,
      terminated: rotation.terminated ?? 0,
    };
    this.#records.push(record);
    this.#options.logger?.info({ ...record, credential: record.name }, 'a credential was rotated under load');
    return record;
  }
}

const NO_OPERATIONS = { operationsDuring: 0, failed: 0, retried: 0, maxStallMs: 0 };
