import type { ReleaseAnswer } from '@neural-hive/contracts';
import { CLAIM_SILENCE_MS, type ClaimAnswer, type ExecutionTicket, type HeartbeatAnswer } from '@neural-hive/contracts';
import { type Clock, systemClock } from '@neural-hive/security/common';
import type { RotatingCollection, RotatingDb } from '@neural-hive/security/mongodb';
import { type PlanEvent, readResult } from '../../domain/index.ts';
import type { Claimant, NewsOfPlan, TicketDesk } from '../../ports/ticket-desk.ts';
import { COLLECTIONS, type CounterDocument, type DeskDocument, type PauseDocument } from './documents.ts';
import { OneAtATime } from './one-at-a-time.ts';
import { unlessThere } from './write-errors.ts';

const GONE = { answer: { outcome: 'gone' } } as const;
/** How long a worker waits before it asks for a ticket of a paused plan again. */
const PAUSED_RETRY_MS = 1_000;
const HELD_RETRY_MIN_MS = 50;
const FENCING_TOKENS = 'fencing tokens';

/**
 * One document a ticket, changed by one atomic update each time. Its fencing token comes of one count over all tickets, since
 * deployments of different tickets at the same target are told apart by it. FerretDB reads and writes in
 * two steps, so what concerns one ticket is done one at a time in this process besides.
 */
export class MongoTicketDesk implements TicketDesk {
  readonly #desk: RotatingCollection<DeskDocument>;
  readonly #pauses: RotatingCollection<PauseDocument>;
  readonly #counters: RotatingCollection<CounterDocument>;
  readonly #clock: Clock;
  readonly #turns = new OneAtATime();

  /** `clock`: replicas compare each other's times with theirs, so they should differ by far less than `CLAIM_SILENCE_MS`. */
  constructor(db: RotatingDb, { clock = systemClock }: { clock?: Clock } = {}) {
    this.#desk = db.collection<DeskDocument>(COLLECTIONS.desk);
    this.#pauses = db.collection<PauseDocument>(COLLECTIONS.pauses);
    this.#counters = db.collection<CounterDocument>(COLLECTIONS.counters);
    this.#clock = clock;
  }

  offer(ticket: ExecutionTicket): Promise<boolean> {
    const { ticket_id: _id, plan_id: planId, task_type: taskType, retry_count: publication } = ticket;
    const fresh = { publication, state: 'queued', deadlineMs: ticket.sla.deadline, ...NOBODY } as const;
    return this.#turns.run(_id, async () => {
      await unlessThere(this.#desk.insertOne({ _id, planId, taskType, fencingToken: 0, attempt: 0, ...fresh }));
      const earlier = { _id, publication: { $lt: publication }, state: 'finished' } as const;
      await this.#desk.updateOne(earlier, { $set: fresh });
      const now = await this.#desk.findOne({ _id });
      return now?.state === 'queued' && now.publication === publication;
    });
  }

  cancel(ticketId: string, { claimed }: { claimed: boolean }): Promise<PlanEvent | undefined> {
    return this.#turns.run(ticketId, async () => {
      const states: DeskDocument['state'][] = claimed ? ['queued', 'claimed'] : ['queued'];
      const filter = { _id: ticketId, state: { $in: states } };
      const { matchedCount } = await this.#desk.updateOne(filter, { $set: { state: 'cancelled' } });
      if (matchedCount > 0) return undefined;
      const found = await this.#desk.findOne({ _id: ticketId });
      if (found?.state === 'finished') return resultEvent(found);
      return found?.state === 'claimed' ? claimEvent(found) : undefined;
    });
  }

  async postpone({ ticket_id: _id, sla }: ExecutionTicket): Promise<void> {
    await this.#turns.run(_id, () =>
      this.#desk.updateOne({ _id, state: { $in: ['queued', 'claimed'] } }, { $set: { deadlineMs: sla.deadline } }),
    );
  }

  async pause(planId: string): Promise<void> {
    await unlessThere(this.#pauses.insertOne({ _id: planId }));
  }

  async resume(planId: string): Promise<void> {
    await this.#pauses.deleteOne({ _id: planId });
  }

  claim(
    ticketId: string,
    claimant: Claimant & { readonly retryCount: number },
  ): Promise<{ readonly answer: ClaimAnswer; readonly news?: NewsOfPlan }> {
    return this.#turns.run(ticketId, () => this.#claim(ticketId, claimant));
  }

  heartbeat(ticketId: string, holder: { fencingToken: number; spiffeId: string }): Promise<HeartbeatAnswer> {
    return this.#turns.run(ticketId, async () => {
      const own = { _id: ticketId, ...holder };
      const heartbeatAtMs = this.#clock.now();
      const { matchedCount } = await this.#desk.updateOne({ ...own, state: 'claimed' }, { $set: { heartbeatAtMs } });
      if (matchedCount > 0) return { outcome: 'held' };
      const found = await this.#desk.findOne(own);
      return { outcome: found?.state === 'cancelled' ? 'cancelled' : 'lost' };
    });
  }

  release(ticketId: string, holder: { fencingToken: number; spiffeId: string }): Promise<ReleaseAnswer> {
    return this.#turns.run(ticketId, async () => {
      const own = { _id: ticketId, ...holder, state: 'claimed' } as const;
      const { matchedCount } = await this.#desk.updateOne(own, { $set: { state: 'queued', heartbeatAtMs: null } });
      return { outcome: matchedCount > 0 ? 'released' : 'lost' };
    });
  }

  finish(ticketId: string, fencingToken: number, result: unknown): Promise<NewsOfPlan | 'discarded' | 'unknown'> {
    return this.#turns.run(ticketId, async () => {
      const change = { state: 'finished', result: JSON.stringify(result), finishedAtMs: this.#clock.now() } as const;
      const held = { _id: ticketId, fencingToken, state: 'claimed' } as const;
      const taken = await this.#desk.findOneAndUpdate(held, { $set: change }, { returnDocument: 'after' });
      const found = taken ?? (await this.#desk.findOne({ _id: ticketId }));
      if (found === null) return 'unknown';
      // Once more for a message that comes again: the engine applies a result once.
      if (found.state !== 'finished' || found.fencingToken !== fencingToken) return 'discarded';
      return { planId: found.planId, event: resultEvent(found) };
    });
  }

  async #claim(ticketId: string, { agentId, spiffeId, retryCount }: Claimant & { readonly retryCount: number }) {
    const found = await this.#desk.findOne({ _id: ticketId });
    if (found === null || found.publication !== retryCount) return GONE;
    if (found.state !== 'queued' && found.state !== 'claimed') return GONE;
    const { fencingToken, heartbeatAtMs, planId, state } = found;
    if ((await this.#pauses.findOne({ _id: planId })) !== null) return held(PAUSED_RETRY_MS);
    const nowMs = this.#clock.now();
    const silentMs = nowMs - (heartbeatAtMs ?? 0);
    if (state === 'claimed' && silentMs < CLAIM_SILENCE_MS) return held(CLAIM_SILENCE_MS - silentMs);
    const token = await this.#nextToken();
    // Whoever was quicker has changed the token, and has a lower or a higher one: this one is thrown away.
    const taken = await this.#desk.findOneAndUpdate(
      { _id: ticketId, state, publication: retryCount, fencingToken, heartbeatAtMs },
      {
        $set: {
          state: 'claimed',
          fencingToken: token,
          attempt: found.attempt + 1,
          agent: agentId,
          spiffeId,
          claimedAtMs: nowMs,
          heartbeatAtMs: nowMs,
          takeover: state === 'claimed',
        },
      },
      { returnDocument: 'after' },
    );
    if (taken === null) return held(HELD_RETRY_MIN_MS);
    const answer = { outcome: 'granted', fencing_token: taken.fencingToken, attempt: taken.attempt } as const;
    return { answer, news: { planId, event: claimEvent(taken) } };
  }

  #nextToken(): Promise<number> {
    return this.#turns.run(FENCING_TOKENS, async () => {
      for (;;) {
        const counted = { $inc: { value: 1 } } as const;
        const next = await this.#counters.findOneAndUpdate({ _id: FENCING_TOKENS }, counted, {
          returnDocument: 'after',
        });
        if (next !== null) return next.value;
        await unlessThere(this.#counters.insertOne({ _id: FENCING_TOKENS, value: 0 }));
      }
    });
  }
}

const NOBODY = {
  agent: null,
  spiffeId: null,
  claimedAtMs: null,
  heartbeatAtMs: null,
  takeover: false,
  result: null,
  finishedAtMs: null,
} as const;

function held(afterMs: number) {
  return { answer: { outcome: 'held', retry_after_ms: Math.max(HELD_RETRY_MIN_MS, Math.ceil(afterMs)) } } as const;
}

function claimEvent({ _id, fencingToken, agent, takeover, claimedAtMs }: DeskDocument): PlanEvent {
  return { type: 'claimed', atMs: claimedAtMs ?? 0, ticketId: _id, fencingToken, agentId: agent ?? '', takeover };
}

function resultEvent({ _id, fencingToken, result, finishedAtMs }: DeskDocument): PlanEvent {
  const outcome = readResult(JSON.parse(result ?? 'null'));
  return { type: 'result', atMs: finishedAtMs ?? 0, ticketId: _id, fencingToken, outcome };
}
