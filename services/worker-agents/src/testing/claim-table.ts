import {
  CLAIM_SILENCE_MS,
  type ClaimAnswer,
  type ClaimRequest,
  type ExecutionTicket,
  type HeartbeatAnswer,
  type ReleaseAnswer,
} from '@neural-hive/contracts';
import { systemClock } from '@neural-hive/security/common';

interface Entry {
  readonly retryCount: number;
  state: 'open' | 'claimed' | 'finished' | 'cancelled';
  fencing: number;
  attempt: number;
  heardMs: number;
}

/** The orchestrator's side of a claim, in memory: what `TicketSource` over Kafka is tested with. */
export class ClaimTable {
  readonly #entries = new Map<string, Entry>();
  readonly #counted = new Map<string, Record<string, unknown>[]>();
  #fencing = 0;
  /** Results under a token that was not the newest, or of a ticket that had ended. */
  discarded = 0;

  /** Forgets every ticket: nobody wants them any more. */
  clear(): void {
    this.#entries.clear();
  }

  published({ ticket_id: id, retry_count: retryCount }: Pick<ExecutionTicket, 'ticket_id' | 'retry_count'>): void {
    const known = this.#entries.get(id);
    const { attempt = 0, fencing = 0 } = known ?? {};
    if (known?.retryCount === retryCount) return;
    this.#entries.set(id, { retryCount, state: 'open', fencing, attempt, heardMs: 0 });
  }

  cancelled(id: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined && entry.state !== 'finished') entry.state = 'cancelled';
  }

  claim(id: string, { retry_count: retryCount }: ClaimRequest): ClaimAnswer {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.retryCount !== retryCount) return { outcome: 'gone' };
    if (entry.state === 'finished' || entry.state === 'cancelled') return { outcome: 'gone' };
    const nowMs = systemClock.monotonicMs();
    const leftMs = entry.state === 'claimed' ? entry.heardMs + CLAIM_SILENCE_MS - nowMs : 0;
    if (leftMs > 0) return { outcome: 'held', retry_after_ms: Math.ceil(Math.min(leftMs, 500)) };
    this.#fencing += 1;
    Object.assign(entry, { state: 'claimed', fencing: this.#fencing, attempt: entry.attempt + 1, heardMs: nowMs });
    return { outcome: 'granted', fencing_token: entry.fencing, attempt: entry.attempt };
  }

  heartbeat(id: string, fencing: number): HeartbeatAnswer {
    const entry = this.#entries.get(id);
    if (entry?.state === 'cancelled') return { outcome: 'cancelled' };
    if (entry?.state !== 'claimed' || entry.fencing !== fencing) return { outcome: 'lost' };
    entry.heardMs = systemClock.monotonicMs();
    return { outcome: 'held' };
  }

  release(id: string, fencing: number): ReleaseAnswer {
    const entry = this.#entries.get(id);
    if (entry?.state !== 'claimed' || entry.fencing !== fencing) return { outcome: 'lost' };
    entry.state = 'open';
    return { outcome: 'released' };
  }

  /** A message came by the topic of results. */
  result(id: string, fencing: number, result: Record<string, unknown>): void {
    const entry = this.#entries.get(id);
    if (entry?.state !== 'claimed' || entry.fencing !== fencing) {
      this.discarded += 1;
      return;
    }
    entry.state = 'finished';
    this.#counted.set(id, [...(this.#counted.get(id) ?? []), result]);
  }

  /** The results that count. */
  resultsOf(id: string): readonly Record<string, unknown>[] {
    return this.#counted.get(id) ?? [];
  }

  get finished(): number {
    return this.#counted.size;
  }

  fencingOf(id: string): number {
    return this.#entries.get(id)?.fencing ?? 0;
  }
}
