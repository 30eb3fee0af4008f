import { createHash } from 'node:crypto';
import { messageOf, NeuralHiveError, sleep, systemClock } from '@neural-hive/security/common';
import type { ClaimedTicket } from '../domain/claimed-ticket.ts';
import { buildResult, type Executed, type Publisher } from '../domain/execution-result.ts';
import type { Executor } from '../domain/executor.ts';
import { failureOf, TicketFailure } from '../domain/failure.ts';
import { advance, type GiveUpReason, type Hold, type HoldEvent } from '../domain/hold.ts';
import type { ExecutionSecrets, TicketSource } from '../domain/ports.ts';
import { type KeptBack, keptBack } from '../domain/sensitivity.ts';
import type { WorkerLogger } from './worker-logger.ts';

export interface HeldTicketOptions {
  readonly source: TicketSource;
  readonly secrets: ExecutionSecrets;
  readonly executor: Executor;
  readonly publisher: Publisher;
  readonly log: WorkerLogger;
  readonly onExecuted: (facts: { failure: TicketFailure | undefined; durationMs: number }) => void;
  readonly onPublished: (accepted: boolean) => void;
}

const HEARTBEAT_MS = 1_000;
/** A holder that is silent for 3.5 s loses its ticket; one that cannot be heard stops before. */
const SILENCE_LIMIT_MS = 3_000;
const PUBLISH_RETRY_MS = 200;
/** The program's own time limit comes first, since it keeps the program's last words. */
const GRACE_MS = 2_000;

/**
 * One ticket from the claim to the published result. The heartbeat runs until the result is accepted; when it is refused
 * or cannot be sent, the work stops, since somebody else may have begun it.
 */
export class HeldTicket {
  readonly claimed: ClaimedTicket;
  /** Resolves when nothing of the attempt runs any more; never rejects. */
  readonly ended: Promise<Hold>;
  readonly #options: HeldTicketOptions;
  readonly #work = new AbortController();
  readonly #publishing = new AbortController();
  #hold: Hold = { state: 'running' };
  /** The transport is asked to take the result: from here on its answer says whose the ticket was. */
  #finishing = false;

  constructor(claimed: ClaimedTicket, options: HeldTicketOptions) {
    this.claimed = claimed;
    this.#options = options;
    this.ended = this.#run();
  }

  /** Stops the work. A finished one is still published, unless the ticket is not ours to publish. */
  giveUp(why: GiveUpReason): void {
    this.#advance({ type: 'give_up', why });
    if (this.#hold.state !== 'given_up') return;
    // Whoever takes it next goes on with what the attempt began outside of this machine; a cancelled one nobody takes.
    const code = why === 'cancelled' ? 'cancelled' : 'fenced';
    this.#work.abort(new TicketFailure(code, `The ticket was given up: ${why}`));
    this.#publishing.abort();
  }

  #advance(event: HoldEvent): void {
    this.#hold = advance(this.#hold, event);
  }

  async #run(): Promise<Hold> {
    const { source, log } = this.#options;
    const { ticket, fencing } = this.claimed;
    const heart = new AbortController();
    const beating = this.#beat(heart.signal);
    try {
      const startedMs = systemClock.monotonicMs();
      const outcome = await this.#execute();
      const durationMs = systemClock.monotonicMs() - startedMs;
      this.#advance({ type: 'ended' });
      if (this.#hold.state === 'publishing') {
        const failure = outcome instanceof TicketFailure ? outcome : undefined;
        this.#options.onExecuted({ failure, durationMs });
        await this.#publish(outcome, durationMs);
      }
    } catch (error) {
      // The transport answered nothing for as long as the ticket was ours: whoever takes it over does it again.
      if (!this.#publishing.signal.aborted)
        log.error({ ticket: ticket.ticket_id, error: messageOf(error) }, 'ticket lost');
    } finally {
      heart.abort();
      await beating;
    }
    if (this.#hold.state === 'given_up' && this.#hold.why === 'drained') {
      await source.release(ticket.ticket_id, fencing).catch((error: unknown) => {
        log.warn({ ticket: ticket.ticket_id, error: messageOf(error) }, 'the ticket could not be handed back');
      });
    }
    return this.#hold;
  }

  async #execute(): Promise<Executed | TicketFailure> {
    const { executor, secrets, log } = this.#options;
    const { ticket, fencing } = this.claimed;
    try {
      const untilDeadlineMs = ticket.sla.deadline - systemClock.now();
      if (untilDeadlineMs <= 0) throw new TicketFailure('timeout', 'The deadline had passed before the attempt began');
      const settings = await secrets.settingsFor(ticket.task_type, { signal: this.#work.signal });
      const timeoutMs = Math.min(ticket.sla.timeout_ms, settings.max_timeout_ms, untilDeadlineMs);
      const limit = new AbortController();
      const timer = systemClock.setTimer(timeoutMs + GRACE_MS, () =>
        limit.abort(new TicketFailure('timeout', `The attempt did not end within ${timeoutMs} ms`)),
      );
      try {
        const attemptId = `${fencing}-${createHash('sha256').update(ticket.ticket_id).digest('hex').slice(0, 16)}`;
        const signal = AbortSignal.any([this.#work.signal, limit.signal]);
        const credentials = () => secrets.getExecutionCredentials(ticket.task_type, { signal });
        return await executor.execute({ ticket, fencing, attemptId, settings, credentials, timeoutMs, signal });
      } finally {
        timer.cancel();
      }
    } catch (error) {
      const failure = failureOf(error);
      if (failure.code === 'crash') log.error({ ticket: ticket.ticket_id, error: messageOf(error) }, 'executor failed');
      return failure;
    }
  }

  async #publish(outcome: Executed | TicketFailure, durationMs: number): Promise<void> {
    const { source, publisher, onPublished } = this.#options;
    const { ticket, fencing } = this.claimed;
    const facts = { ...(await this.#keepSensitive(outcome)), durationMs, nowMs: systemClock.now() };
    const result = buildResult(this.claimed, publisher, facts);
    this.#finishing = true;
    const accepted = await this.#insist(() => source.finish(ticket.ticket_id, fencing, result));
    this.#advance({ type: accepted ? 'accepted' : 'refused' });
    onPublished(accepted);
  }

  /** The logs and counts of a failure are kept back too: they may say what the output would have said. */
  async #keepSensitive(
    outcome: Executed | TicketFailure,
  ): Promise<{ outcome: Executed | TicketFailure; reference: string | undefined; kept: KeptBack }> {
    const { ticket, fencing, attempt } = this.claimed;
    const kept = keptBack(ticket);
    if (kept === 'nothing') return { outcome, reference: undefined, kept };
    const stored = { attempt, fencing, output: outcome.output, logs: outcome.logs ?? [] };
    const { signal } = this.#publishing;
    try {
      const reference = await this.#insist(() =>
        this.#options.secrets.storeResult(ticket.ticket_id, stored, { signal }),
      );
      return { outcome, reference, kept };
    } catch (error) {
      if (signal.aborted) throw error;
      const why = `The sensitive result could not be stored: ${messageOf(error)}`;
      const failure = error instanceof TicketFailure ? error : new TicketFailure('backend', why, { cause: error });
      return { outcome: failure, reference: undefined, kept };
    }
  }

  /** Repeats until it works, cannot work, or the ticket is no longer ours. */
  async #insist<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        const final = error instanceof NeuralHiveError && !error.retryable;
        if (final || this.#publishing.signal.aborted) throw error;
        this.#options.onPublished(false);
        const { ticket_id: ticket } = this.claimed.ticket;
        this.#options.log.warn({ ticket, error: messageOf(error) }, 'the result could not be published: trying again');
        await sleep(PUBLISH_RETRY_MS, { signal: this.#publishing.signal });
      }
    }
  }

  async #beat(signal: AbortSignal): Promise<void> {
    const { source } = this.#options;
    const { ticket, fencing } = this.claimed;
    let heardMs = systemClock.monotonicMs();
    for (;;) {
      try {
        await sleep(HEARTBEAT_MS, { signal });
      } catch {
        return;
      }
      const silent = systemClock.setTimer(heardMs + SILENCE_LIMIT_MS - systemClock.monotonicMs(), () =>
        this.giveUp('lost'),
      );
      try {
        const sentMs = systemClock.monotonicMs();
        const held = await source.heartbeat(ticket.ticket_id, fencing);
        if (!held && !this.#finishing) this.giveUp('lost');
        heardMs = sentMs;
      } catch {
        // Tried again at the next beat, until the silence is too long.
        if (systemClock.monotonicMs() - heardMs >= SILENCE_LIMIT_MS) this.giveUp('lost');
      } finally {
        silent.cancel();
      }
    }
  }
}
