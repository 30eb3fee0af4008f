import type { RotatingCollection, RotatingDb } from '@neural-hive/security/mongodb';
import type { DeadLetter } from '../../domain/index.ts';
import type { StoredDeadLetter } from '../../ports/plan-engine.ts';
import { COLLECTIONS, type DeadLetterDocument } from './documents.ts';
import { unlessThere } from './write-errors.ts';

/** Tickets that were given up after every attempt, until somebody has tried again. */
export class DeadLetters {
  readonly #letters: RotatingCollection<DeadLetterDocument>;

  constructor(db: RotatingDb) {
    this.#letters = db.collection<DeadLetterDocument>(COLLECTIONS.deadLetters);
  }

  async bury(letter: DeadLetter): Promise<void> {
    const { ticketId: _id, planId, atMs } = letter;
    const document = { _id, planId, atMs, letter: JSON.stringify(letter), retriedAs: null, retriedBy: null };
    await unlessThere(this.#letters.insertOne(document));
  }

  /** The newest first; `all` also those that were tried again. */
  async list({ all, limit }: { all: boolean; limit: number }): Promise<readonly StoredDeadLetter[]> {
    const found = await this.#letters
      .find(all ? {} : { retriedAs: null })
      .sort({ atMs: -1, _id: 1 })
      .limit(limit)
      .toArray();
    return found.map(letterOf);
  }

  async find(ticketId: string): Promise<StoredDeadLetter | undefined> {
    const found = await this.#letters.findOne({ _id: ticketId });
    return found === null ? undefined : letterOf(found);
  }

  /** False when it was tried again before. */
  async markRetried(ticketId: string, { as, by }: { as: string; by: string }): Promise<boolean> {
    const filter = { _id: ticketId, retriedAs: null };
    const { modifiedCount } = await this.#letters.updateOne(filter, { $set: { retriedAs: as, retriedBy: by } });
    return modifiedCount === 1;
  }
}

function letterOf({ letter, retriedAs, retriedBy }: DeadLetterDocument): StoredDeadLetter {
  return { ...JSON.parse(letter), retriedAs, retriedBy };
}
