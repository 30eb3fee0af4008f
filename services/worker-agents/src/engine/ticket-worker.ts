import type { TaskType } from '@neural-hive/contracts';
import { messageOf, sleep, systemClock } from '@neural-hive/security/common';
import { type Capacity, nextRound } from '../domain/capacity.ts';
import { byUrgency, type ClaimedTicket } from '../domain/claimed-ticket.ts';
import { buildUnreadable, type Publisher } from '../domain/execution-result.ts';
import type { Executor } from '../domain/executor.ts';
import type { GiveUpReason } from '../domain/hold.ts';
import type { ExecutionSecrets, TicketSource, UnreadableTicket } from '../domain/ports.ts';
import { HeldTicket } from './held-ticket.ts';
import { type Telemetry, TelemetryCounter } from './telemetry.ts';
import type { WorkerLogger } from './worker-logger.ts';
import type { WorkerMetrics } from './worker-metrics.ts';

export interface TicketWorkerOptions {
  readonly source: TicketSource;
  readonly secrets: ExecutionSecrets;
  /** A type without an executor is never asked for. */
  readonly executors: readonly Executor[];
  readonly capacity: Capacity;
  readonly publisher: Publisher;
  readonly metrics: WorkerMetrics;
  readonly log: WorkerLogger;
  /** The backstop of missed announcements. Default 200 ms. */
  readonly pollMs?: number;
}

const AFTER_ERROR_MS = 500;
const HAND_BACK_LIMIT_MS = 3_000;

/** Takes tickets while there are places for them, and holds each until its end. */
export class TicketWorker {
  readonly #options: TicketWorkerOptions;
  readonly #executors: ReadonlyMap<TaskType, Executor>;
  readonly #held = new Set<HeldTicket>();
  readonly #telemetry = new TelemetryCounter();
  readonly #stopping = new AbortController();
  readonly #unsubscribe: readonly (() => void)[];
  readonly #loop: Promise<void>;
  #wake: (() => void) | undefined;
  /** Something was announced since the last round began. */
  #announced = false;
  #claimFailing = false;

  constructor(options: TicketWorkerOptions) {
    this.#options = options;
    this.#executors = new Map(options.executors.map((executor) => [executor.type, executor]));
    const { source } = options;
    this.#unsubscribe = [
      source.onReady(() => this.#again()),
      source.onCancelled((ticketId) => this.#giveUp(ticketId, 'cancelled')),
    ];
    this.#loop = this.#claimForever();
  }

  get types(): readonly TaskType[] {
    return [...this.#executors.keys()];
  }

  /** Whether the last attempt at asking for tickets was answered. */
  get connected(): boolean {
    return !this.#claimFailing;
  }

  telemetry(): Telemetry {
    return this.#telemetry.read(this.#held.size, this.#options.capacity.total);
  }

  /** Takes no more tickets, lets those that run end within the grace, and hands back the rest. */
  async drain(graceMs: number): Promise<void> {
    this.#stopping.abort();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#again();
    await this.#loop;
    const ended = Promise.all([...this.#held].map((held) => held.ended));
    await Promise.race([ended, sleep(graceMs)]);
    for (const held of this.#held) held.giveUp('drained');
    // What is done and cannot be published is taken over by another worker when our heartbeat ends.
    await Promise.race([ended, sleep(HAND_BACK_LIMIT_MS)]);
  }

  async #claimForever(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      let found = 0;
      this.#announced = false;
      let pauseMs = this.#options.pollMs ?? 200;
      try {
        found = await this.#claimRound();
        if (this.#claimFailing) this.#options.log.info({}, 'the ticket transport answers again');
        this.#claimFailing = false;
      } catch (error) {
        if (!this.#claimFailing) {
          this.#options.log.warn({ error: messageOf(error) }, 'the ticket transport does not answer: trying again');
        }
        this.#claimFailing = true;
        pauseMs = AFTER_ERROR_MS;
      }
      if (found === 0) await this.#pause(pauseMs);
    }
  }

  async #claimRound(): Promise<number> {
    const { source, capacity, publisher } = this.#options;
    const running = [...this.#held].map(({ claimed }) => claimed.ticket.task_type);
    const round = nextRound(this.types, capacity, running);
    if (round === undefined) return 0;
    const { tickets, unreadable } = await source.claim({ ...round, agentId: publisher.agentId });
    // First: a refusal that cannot be sent must not cost the others their heartbeat.
    for (const claimed of [...tickets].sort(byUrgency)) this.#hold(claimed);
    for (const ticket of unreadable) await this.#refuse(ticket);
    return tickets.length + unreadable.length;
  }

  #hold(claimed: ClaimedTicket): void {
    const { source, secrets, publisher, metrics, log } = this.#options;
    const { ticket_id: ticketId, task_type: type } = claimed.ticket;
    const executor = this.#executors.get(type);
    if (executor === undefined) throw new TypeError(`A ticket of type ${type} was claimed, which nobody asked for`);
    metrics.claimed(type);
    metrics.inFlight(type, 1);
    // An older attempt of ours at the same ticket was too long silent, or the ticket would not have come again.
    this.#giveUp(ticketId, 'lost');
    const held = new HeldTicket(claimed, {
      source,
      secrets,
      executor,
      publisher,
      log,
      onPublished: (accepted) => metrics.published(accepted ? 'success' : 'failure'),
      onExecuted: ({ failure, durationMs }) => {
        this.#telemetry.add({ failed: failure !== undefined, durationMs, nowMs: systemClock.now() });
        if (failure === undefined) metrics.completed(type, durationMs / 1_000);
        else metrics.failed(type, failure.code, durationMs / 1_000);
        const outcome = failure === undefined ? 'completed' : failure.code;
        log.info({ ticket: ticketId, type, fencing: claimed.fencing, outcome, durationMs }, 'attempt ended');
      },
    });
    this.#held.add(held);
    void held.ended.then((hold) => {
      metrics.inFlight(type, -1);
      if (hold.state !== 'published') metrics.dropped(type, hold.state === 'given_up' ? hold.why : hold.state);
      this.#held.delete(held);
      this.#again();
    });
  }

  /** A payload that is no ticket stays none: it is answered, so that nobody takes it again. */
  async #refuse(ticket: UnreadableTicket): Promise<void> {
    const { source, publisher, log } = this.#options;
    log.error({ ticket: ticket.ticketId, problem: ticket.problem }, 'a ticket cannot be read');
    await source.finish(ticket.ticketId, ticket.fencing, buildUnreadable(ticket, publisher, systemClock.now()));
  }

  #giveUp(ticketId: string, why: GiveUpReason): void {
    for (const held of this.#held) if (held.claimed.ticket.ticket_id === ticketId) held.giveUp(why);
  }

  #again(): void {
    this.#announced = true;
    this.#wake?.();
  }

  async #pause(pauseMs: number): Promise<void> {
    if (this.#announced || this.#stopping.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = systemClock.setTimer(pauseMs, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
