import { CLAIM_SILENCE_MS, type ClaimAnswer, type ExecutionResult } from '@neural-hive/contracts';
import { type Clock, systemClock } from '@neural-hive/security/common';
import type { ClaimedTicket } from '../../domain/claimed-ticket.ts';
import type { ClaimRequest, TicketSource, UnreadableTicket } from '../../domain/ports.ts';
import type { TicketClaims } from './ticket-claims.ts';
import type { TicketFeed } from './ticket-feed.ts';
import type { ArrivedTicket } from './ticket-window.ts';

export interface KafkaTicketSourceOptions {
  readonly feed: TicketFeed;
  readonly claims: Pick<TicketClaims, 'claim' | 'heartbeat' | 'release'>;
  /** Resolves when the result is durable. */
  readonly publish: (ticketId: string, result: ExecutionResult) => Promise<void>;
  /** Throws when no member of the group reads. */
  readonly assertReading?: () => void;
  readonly clock?: Clock;
}

interface Holding {
  readonly arrived: ArrivedTicket;
  readonly fencing: number;
  /** When the request was sent that the orchestrator confirmed last. On the monotonic clock. */
  confirmedMs: number;
  /** Its result is on its way: what the orchestrator says now may already be the answer to it. */
  finishing: boolean;
}

/** A younger confirmation is enough to publish by: nobody else is given a ticket that was confirmed so shortly before. */
const TRUST_MS = CLAIM_SILENCE_MS / 2;
/** Nobody could say whose the ticket is. */
const AFTER_ERROR_MS = 500;

/**
 * Tickets from Kafka. A message brings a ticket, the orchestrator says whether it may be worked on, and the message counts
 * as read when its result is durable or nobody wants one. A ticket that is handed back or lost is asked for again, by
 * whoever has its partition then.
 */
export class KafkaTicketSource implements TicketSource {
  readonly #options: KafkaTicketSourceOptions;
  readonly #clock: Clock;
  readonly #held = new Map<string, Holding>();
  readonly #ready = new Set<() => void>();
  readonly #cancelled = new Set<(ticketId: string) => void>();

  constructor(options: KafkaTicketSourceOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  async claim({ types, agentId, limit }: ClaimRequest): ReturnType<TicketSource['claim']> {
    const { feed } = this.#options;
    this.#takeBackSilent();
    const tickets: ClaimedTicket[] = [];
    const unreadable: UnreadableTicket[] = [];
    for (;;) {
      const room = limit - tickets.length - unreadable.length;
      const asked = room > 0 ? feed.next(types, room) : [];
      if (asked.length === 0) break;
      const answers = await Promise.all(asked.map((arrived) => this.#ask(arrived, agentId)));
      let failure: unknown;
      for (const [index, answer] of answers.entries()) {
        const arrived = asked[index] as ArrivedTicket;
        if ('error' in answer) failure = answer.error;
        else if (answer.outcome === 'granted') {
          const { fencing_token: fencing, attempt } = answer;
          const { ticketId, planId, content } = arrived;
          if ('ticket' in content) tickets.push({ ticket: content.ticket, fencing, attempt });
          else unreadable.push({ ticketId, planId, fencing, problem: content.problem });
        }
      }
      if (failure !== undefined) {
        // What was granted has begun to count its silence.
        if (tickets.length + unreadable.length > 0) break;
        throw failure;
      }
    }
    if (tickets.length + unreadable.length === 0) this.#options.assertReading?.();
    return { tickets, unreadable };
  }

  async heartbeat(ticketId: string, fencing: number): Promise<boolean> {
    const holding = this.#holding(ticketId, fencing);
    if (holding === undefined) return false;
    const sentMs = this.#clock.monotonicMs();
    const { outcome } = await this.#options.claims.heartbeat(ticketId, fencing);
    if (outcome === 'held') {
      holding.confirmedMs = Math.max(holding.confirmedMs, sentMs);
      return true;
    }
    if (this.#holding(ticketId, fencing) !== holding || holding.finishing) return false;
    this.#end(holding, outcome);
    return false;
  }

  async finish(ticketId: string, fencing: number, result: ExecutionResult): Promise<boolean> {
    const holding = this.#holding(ticketId, fencing);
    if (holding === undefined) return false;
    holding.finishing = true;
    try {
      if (this.#clock.monotonicMs() - holding.confirmedMs > TRUST_MS) {
        const { outcome } = await this.#options.claims.heartbeat(ticketId, fencing);
        if (outcome !== 'held') {
          this.#end(holding, outcome);
          return false;
        }
      }
      await this.#options.publish(ticketId, result);
    } finally {
      holding.finishing = false;
    }
    // Else a newer attempt of ours has begun meanwhile, and this message waits to be asked for again.
    if (this.#holding(ticketId, fencing) === holding) {
      this.#held.delete(ticketId);
      this.#options.feed.settle(holding.arrived);
    }
    return true;
  }

  async release(ticketId: string, fencing: number): Promise<boolean> {
    const holding = this.#holding(ticketId, fencing);
    if (holding === undefined) return false;
    const { outcome } = await this.#options.claims.release(ticketId, fencing);
    if (this.#holding(ticketId, fencing) === holding) this.#end(holding, 'lost');
    return outcome === 'released';
  }

  onReady(listener: () => void): () => void {
    this.#ready.add(listener);
    return () => this.#ready.delete(listener);
  }

  onCancelled(listener: (ticketId: string) => void): () => void {
    this.#cancelled.add(listener);
    return () => this.#cancelled.delete(listener);
  }

  /** Something was read. */
  announce(): void {
    for (const listener of this.#ready) listener();
  }

  async #ask(arrived: ArrivedTicket, agentId: string): Promise<ClaimAnswer | { readonly error: unknown }> {
    const { feed, claims } = this.#options;
    const { ticketId, retryCount } = arrived;
    const sentMs = this.#clock.monotonicMs();
    try {
      const answer = await claims.claim(ticketId, { agent_id: agentId, retry_count: retryCount });
      if (answer.outcome === 'granted') {
        // An older attempt of ours, under another message: its token is worth nothing now.
        const older = this.#held.get(ticketId);
        if (older !== undefined) feed.window.put(older.arrived, this.#after(AFTER_ERROR_MS));
        const fencing = answer.fencing_token;
        this.#held.set(ticketId, { arrived, fencing, confirmedMs: sentMs, finishing: false });
      } else if (answer.outcome === 'gone') feed.settle(arrived);
      else feed.window.put(arrived, this.#after(answer.retry_after_ms));
      return answer;
    } catch (error) {
      feed.window.put(arrived, this.#after(AFTER_ERROR_MS));
      return { error };
    }
  }

  #after(pauseMs: number): number {
    return this.#clock.monotonicMs() + pauseMs;
  }

  #holding(ticketId: string, fencing: number): Holding | undefined {
    const holding = this.#held.get(ticketId);
    return holding?.fencing === fencing ? holding : undefined;
  }

  #end(holding: Holding, outcome: 'cancelled' | 'lost'): void {
    const { arrived } = holding;
    this.#held.delete(arrived.ticketId);
    if (outcome === 'lost') {
      // The next claim says whether somebody else has it, somebody finished it, or it is free.
      this.#options.feed.window.put(arrived);
      return;
    }
    this.#options.feed.settle(arrived);
    for (const listener of this.#cancelled) listener(arrived.ticketId);
  }

  /** Their attempts were stopped when they could not be kept alive, and nobody says so here. */
  #takeBackSilent(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const holding of this.#held.values()) {
      if (!holding.finishing && nowMs - holding.confirmedMs > CLAIM_SILENCE_MS) this.#end(holding, 'lost');
    }
  }
}
