import type { RotatingCollection, RotatingDb } from '@neural-hive/security/mongodb';
import { isFinal, type PlanState, type PlanStatus, type PlanSummary } from '../../domain/index.ts';
import type { NumberedProgress } from '../../ports/plan-engine.ts';
import type { HeadRecord, NewPlan, PlanSave, PlanStore, StoredHead, TicketRecord } from '../../ports/plan-store.ts';
import { DeadLetters } from './dead-letters.ts';
import { COLLECTIONS, type PlanDocument, type ProgressDocument, type TicketDocument } from './documents.ts';
import { TelemetryFeed } from './telemetry-feed.ts';
import { unlessThere, writeMissing } from './write-errors.ts';

const PROGRESS_PAGE = 500;
/** Documents are fetched by so many. */
const TICKETS_PAGE = 500;

/**
 * Plans in MongoDB, without transactions: each document says which save it is from, a save writes a plan's head last, and
 * none is undone by one that comes late. Works on what speaks MongoDB's protocol, FerretDB among it.
 */
export class MongoPlanStore implements PlanStore {
  readonly #plans: RotatingCollection<PlanDocument>;
  readonly #tickets: RotatingCollection<TicketDocument>;
  readonly #progress: RotatingCollection<ProgressDocument>;
  readonly #telemetry: TelemetryFeed;
  readonly #letters: DeadLetters;

  private constructor(db: RotatingDb) {
    this.#plans = db.collection<PlanDocument>(COLLECTIONS.plans);
    this.#tickets = db.collection<TicketDocument>(COLLECTIONS.tickets);
    this.#progress = db.collection<ProgressDocument>(COLLECTIONS.progress);
    this.#telemetry = new TelemetryFeed(db);
    this.#letters = new DeadLetters(db);
  }

  /** Resolves when the indexes are there. The database is borrowed. */
  static async open(db: RotatingDb): Promise<MongoPlanStore> {
    const store = new MongoPlanStore(db);
    await store.#plans.createIndex({ createdAtMs: -1 });
    await store.#plans.createIndex({ final: 1 });
    await store.#tickets.createIndex({ planId: 1, position: 1 });
    await store.#progress.createIndex({ planId: 1, seq: 1 });
    await store.#telemetry.prepare();
    return store;
  }

  async create({ plan, decision, createdAtMs, head: first, ...save }: NewPlan): Promise<void> {
    const { planId } = save;
    if ((await this.#plans.findOne({ _id: planId }, { projection: { _id: 1 } })) !== null) return;
    await this.#saveParts({ ...save, seq: 1 });
    await unlessThere(
      this.#plans.insertOne({
        ...headFields(first),
        _id: planId,
        seq: 1,
        createdAtMs,
        intentId: plan.intent_id,
        plan: JSON.stringify(plan),
        decision: JSON.stringify(decision),
      }),
    );
  }

  async save({ head, ...save }: PlanSave): Promise<void> {
    const { planId, seq } = save;
    await this.#saveParts(save);
    if (head === null) return;
    await this.#plans.updateOne({ _id: planId, seq: { $lt: seq } }, { $set: { ...headFields(head), seq } });
  }

  async find(planId: string): Promise<PlanState | undefined> {
    const stored = await this.readHead(planId);
    if (stored === undefined) return undefined;
    const { plan, decision, head } = stored;
    // After the head: what it tells of is among the tickets.
    const tickets = await this.#tickets.find({ planId }).sort({ position: 1 }).toArray();
    const states = tickets.map(({ state }) => JSON.parse(state));
    return { ...head, plan, decision, tickets: new Map(states.map((state) => [state.ticketId, state])) };
  }

  async readHead(planId: string): Promise<StoredHead | undefined> {
    const found = await this.#plans.findOne({ _id: planId });
    if (found === null) return undefined;
    const { plan, decision, head, timers, told, seq } = found;
    return { plan: JSON.parse(plan), decision: JSON.parse(decision), head: JSON.parse(head), timers, told, seq };
  }

  async readTickets(planId: string, from: number, maxLength: number): Promise<readonly TicketRecord[]> {
    const found = await this.#tickets
      .find({ planId, position: { $gte: from } })
      .sort({ position: 1 })
      .limit(TICKETS_PAGE)
      .toArray();
    const records: TicketRecord[] = [];
    let length = 0;
    for (const { position, state, timers, resultToken } of found) {
      length += state.length;
      if (records.length > 0 && length > maxLength) break;
      records.push({ position, state: JSON.parse(state), timers, resultToken });
    }
    return records;
  }

  async list(filter: { status?: PlanStatus | undefined; limit: number }): Promise<readonly PlanSummary[]> {
    const found = await this.#plans
      .find(filter.status === undefined ? {} : { status: filter.status }, { projection: SUMMARY })
      .sort({ createdAtMs: -1, _id: 1 })
      .limit(filter.limit)
      .toArray();
    return found.map(({ _id: id, status, final, intentId, submittedBy, submittedAtMs, endedAtMs }) => {
      return { id, status, final, intentId, submittedBy, submittedAtMs, endedAtMs };
    });
  }

  countActive(): Promise<number> {
    return this.#plans.countDocuments({ final: false });
  }

  async activeAfter(after: string, limit: number): Promise<readonly string[]> {
    const found = await this.#plans
      .find({ final: false, _id: { $gt: after } }, { projection: { _id: 1 } })
      .sort({ _id: 1 })
      .limit(limit)
      .toArray();
    return found.map(({ _id }) => _id);
  }

  async progressAfter(planId: string, after: number): Promise<readonly NumberedProgress[]> {
    const found = await this.#progress
      .find({ planId, seq: { $gt: after } })
      .sort({ seq: 1 })
      .limit(PROGRESS_PAGE)
      .toArray();
    return found.map(({ seq, line }) => ({ seq, line: JSON.parse(line) }));
  }

  telemetryAfter(...args: Parameters<PlanStore['telemetryAfter']>): ReturnType<PlanStore['telemetryAfter']> {
    return this.#telemetry.after(...args);
  }

  buryTicket(...args: Parameters<PlanStore['buryTicket']>): ReturnType<PlanStore['buryTicket']> {
    return this.#letters.bury(...args);
  }

  deadLetters(...args: Parameters<PlanStore['deadLetters']>): ReturnType<PlanStore['deadLetters']> {
    return this.#letters.list(...args);
  }

  deadLetter(...args: Parameters<PlanStore['deadLetter']>): ReturnType<PlanStore['deadLetter']> {
    return this.#letters.find(...args);
  }

  markRetried(...args: Parameters<PlanStore['markRetried']>): ReturnType<PlanStore['markRetried']> {
    return this.#letters.markRetried(...args);
  }

  async #saveParts({ progress, telemetry, ...save }: Omit<PlanSave, 'head'>): Promise<void> {
    const { planId, seq, tickets } = save;
    const documents = tickets.map(({ state, ...rest }) => {
      return { ...rest, _id: state.ticketId, planId, seq, state: JSON.stringify(state) };
    });
    // A plan that is new has no documents that could be older.
    if (seq === 1) await this.#insert(this.#tickets, documents);
    else await this.#upsert(documents);
    const lines = progress.map((told) => {
      return { _id: `${planId}/${told.seq}`, planId, seq: told.seq, line: JSON.stringify(told.line) };
    });
    await this.#insert(this.#progress, lines);
    await this.#telemetry.append(telemetry);
  }

  /** What is there already stays as it is. */
  #insert<D extends TicketDocument | ProgressDocument>(
    collection: RotatingCollection<D>,
    documents: readonly D[],
  ): Promise<void> {
    return writeMissing(
      documents,
      (open) => collection.insertMany([...open] as never, { ordered: false }),
      async (open) => {
        const there = await this.#seqs(collection, open);
        return open.filter(({ _id }) => !there.has(_id));
      },
    );
  }

  /** What is there already and not older stays as it is. */
  #upsert(documents: readonly TicketDocument[]): Promise<void> {
    return writeMissing(
      documents,
      (open) =>
        this.#tickets.bulkWrite(
          // Where the document is as new already, the upsert finds its id taken.
          open.map(({ _id, seq, ...rest }) => ({
            updateOne: { filter: { _id, seq: { $lt: seq } }, update: { $set: { ...rest, seq } }, upsert: true },
          })),
          { ordered: false },
        ),
      async (open) => {
        const there = await this.#seqs(this.#tickets, open);
        return open.filter(({ _id, seq }) => (there.get(_id) ?? 0) < seq);
      },
    );
  }

  /** Of the documents that are there, by id. */
  async #seqs<D extends TicketDocument | ProgressDocument>(collection: RotatingCollection<D>, wanted: readonly D[]) {
    const ids = { _id: { $in: wanted.map(({ _id }) => _id) } } as never;
    const found = await collection.find<Pick<D, '_id' | 'seq'>>(ids, { projection: { seq: 1 } }).toArray();
    return new Map(found.map(({ _id, seq }) => [_id, seq]));
  }
}

const SUMMARY = { status: 1, final: 1, intentId: 1, submittedBy: 1, submittedAtMs: 1, endedAtMs: 1 } as const;

function headFields({ head, timers, told }: HeadRecord) {
  const { status, submittedBy, submittedAtMs, endedAtMs } = head;
  return {
    status,
    final: isFinal(status),
    submittedBy,
    submittedAtMs,
    endedAtMs,
    head: JSON.stringify(head),
    timers,
    told,
  };
}
