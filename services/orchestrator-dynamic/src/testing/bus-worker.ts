import { type ExecutionTicket, SPIFFE_IDS, type TaskType } from '@neural-hive/contracts';
import type { BusHandlers } from '../ports/ticket-bus.ts';
import type { TicketClaims } from '../ports/ticket-desk.ts';
import type { MemoryTicketBus } from './memory-ticket-bus.ts';
import type { Attempt, ContractWorker, Execute } from './plan-engine-contract.ts';
import { resultOf } from './test-worker.ts';

export interface BusWorkerOptions {
  readonly bus: MemoryTicketBus;
  /** Where tickets are claimed and results go; asked each time, since an engine may be followed by another. */
  readonly engine: () => TicketClaims & Pick<BusHandlers, 'result'>;
  readonly execute: Execute;
  readonly types: readonly TaskType[];
}

/** A worker that takes tickets from the bus and claims them, one after another, without executors. */
export class BusWorker implements ContractWorker {
  readonly attempts: Attempt[] = [];
  readonly #options: BusWorkerOptions;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: BusWorkerOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { bus, types } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const ticket = await bus.take(types, signal);
      if (ticket === undefined) return;
      await this.#attempt(ticket);
    }
  }

  async #attempt(ticket: ExecutionTicket): Promise<void> {
    const { bus, engine, execute } = this.#options;
    const claimant = { agentId: 'test-worker', spiffeId: SPIFFE_IDS.worker, retryCount: ticket.retry_count };
    const answer = await engine().claim(ticket.ticket_id, claimant);
    if (answer.outcome === 'gone') return;
    if (answer.outcome === 'held') {
      setTimeout(() => bus.giveBack(ticket), answer.retry_after_ms);
      return;
    }
    const attempt = { ticket, fencingToken: answer.fencing_token };
    this.attempts.push(attempt);
    const failure = await execute(attempt);
    if (failure === 'die') return;
    await engine().result(ticket.ticket_id, ticket.plan_id, attempt.fencingToken, resultOf(attempt, failure));
  }
}
