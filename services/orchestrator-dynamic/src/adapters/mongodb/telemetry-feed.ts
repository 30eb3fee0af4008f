import type { RotatingCollection, RotatingDb } from '@neural-hive/security/mongodb';
import { TELEMETRY_CURSOR, type TelemetryPage } from '../../ports/plan-engine.ts';
import type { KeyedTelemetry } from '../../ports/plan-store.ts';
import { COLLECTIONS, type TelemetryDocument } from './documents.ts';
import { isDuplicateKey } from './write-errors.ts';

/**
 * What happens to all plans, in one order. An event takes the place behind the last one that can be read, so there is no
 * gap that could be filled later: a reader that goes on behind a line misses none.
 */
export class TelemetryFeed {
  readonly #events: RotatingCollection<TelemetryDocument>;

  constructor(db: RotatingDb) {
    this.#events = db.collection<TelemetryDocument>(COLLECTIONS.telemetry);
  }

  async prepare(): Promise<void> {
    await this.#events.createIndex({ key: 1 }, { unique: true });
  }

  /** An event whose key is in the feed is not added again. */
  async append(events: readonly KeyedTelemetry[]): Promise<void> {
    for (const event of events) await this.#appendOne(event);
  }

  async after(after: string, limit: number): Promise<TelemetryPage> {
    const [, , place] = TELEMETRY_CURSOR.exec(after) ?? [];
    if (place === undefined) throw new TypeError('after: must be the cursor of an event');
    const found = await this.#events
      .find({ _id: { $gt: Number(place) } })
      .sort({ _id: 1 })
      .limit(limit)
      .toArray();
    return { events: found.map(({ _id, event }) => ({ ...JSON.parse(event), cursor: `0-${_id}` })) };
  }

  async #appendOne({ key, event }: KeyedTelemetry): Promise<void> {
    const text = JSON.stringify(event);
    while ((await this.#events.findOne({ key })) === null) {
      const last = await this.#events.findOne({}, { sort: { _id: -1 } });
      try {
        await this.#events.insertOne({ _id: (last?._id ?? 0) + 1, key, event: text });
        return;
      } catch (error) {
        // Another event took the place, or another process wrote this one.
        if (!isDuplicateKey(error)) throw error;
      }
    }
  }
}
