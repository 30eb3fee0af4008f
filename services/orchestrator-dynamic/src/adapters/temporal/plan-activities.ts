import { type Clock, messageOf, systemClock } from '@neural-hive/security/common';
import type { Logger } from '@neural-hive/service-runtime';
import type { PlanCommand } from '../../domain/index.ts';
import type { Admission } from '../../ports/admission.ts';
import type { EngineMetrics } from '../../ports/engine-metrics.ts';
import type { PlanStore } from '../../ports/plan-store.ts';
import { type TicketBus, TicketBusError } from '../../ports/ticket-bus.ts';
import type { TicketDesk } from '../../ports/ticket-desk.ts';
import type { SessionPool } from '../postgres/session-pool.ts';
import { recordAuditOnce } from './audit-once.ts';
import type { PlanActivities } from './plan-messages.ts';
import type { Counted, PlanStep, StepOutcome } from './plan-step.ts';

export interface PlanActivitiesOptions {
  readonly store: PlanStore;
  readonly desk: TicketDesk;
  readonly bus: TicketBus;
  readonly admission: Admission;
  /** Of the audit trail. */
  readonly pool: SessionPool;
  readonly metrics: EngineMetrics;
  /** Tells the server that the activity lives. */
  readonly heartbeat: () => void;
  /** Aborted when the engine closes. */
  readonly signal: AbortSignal;
  /** A plan was kept as it is now. */
  readonly onKept: (planId: string) => void;
  readonly clock?: Clock;
  readonly log?: Pick<Logger, 'warn'> | undefined;
}

const HEARTBEAT_MS = 2_000;
/** Temporal takes no payload over 2 MiB; characters may take three bytes. */
const MAX_PAGE_LENGTH = 500_000;

/** What a plan's workflow has done outside. Each may be done again at any time, and is when its end was not heard of. */
export function createPlanActivities(options: PlanActivitiesOptions): PlanActivities {
  const { admission, clock = systemClock, metrics, signal, store } = options;

  async function alive<T>(work: () => Promise<T>): Promise<T> {
    const timer = setInterval(options.heartbeat, HEARTBEAT_MS);
    try {
      return await work();
    } finally {
      clearInterval(timer);
    }
  }

  async function carryOutStep(step: PlanStep): Promise<StepOutcome> {
    const startedMs = clock.monotonicMs();
    const undeliverable: { ticketId: string; reason: string }[] = [];
    for (const item of step.items) {
      if (item.kind !== 'command') continue;
      const happened = await carryOutCommand(options, step.planId, item.command, undeliverable);
      if (happened !== undefined) return { meanwhile: happened, undeliverable };
    }
    await keep(options, step);
    for (const item of step.items) {
      if (item.kind === 'count') count(metrics, item.count, clock.monotonicMs() - startedMs);
    }
    if (step.head !== null) options.onKept(step.planId);
    return { meanwhile: null, undeliverable };
  }

  return {
    loadHead: ({ planId }) => alive(async () => (await store.readHead(planId)) ?? null),
    loadTickets: ({ planId, from }) => alive(() => store.readTickets(planId, from, MAX_PAGE_LENGTH)),
    admit: (needs) => alive(() => admission.check(needs, { signal })),
    carryOut: (step) =>
      alive(async () => {
        try {
          return await carryOutStep(step);
        } catch (error) {
          metrics.eventFailed();
          options.log?.warn({ planId: step.planId, error: messageOf(error) }, 'a step of a plan failed; trying again');
          throw error;
        }
      }),
  };
}

async function carryOutCommand(
  { bus, desk, metrics, store }: PlanActivitiesOptions,
  planId: string,
  command: PlanCommand,
  undeliverable: { ticketId: string; reason: string }[],
) {
  switch (command.type) {
    case 'publishTicket': {
      const { ticket, rankMs } = command;
      // Known at the desk before anybody can ask for it; what was claimed has travelled already.
      if (!(await desk.offer(ticket))) return undefined;
      try {
        await bus.publish(ticket, { rankMs });
        metrics.ticketPublished(ticket.task_type);
      } catch (error) {
        if (!(error instanceof TicketBusError) || error.code !== 'too-large') throw error;
        undeliverable.push({ ticketId: ticket.ticket_id, reason: error.message });
      }
      return undefined;
    }
    case 'cancelTicket':
      return desk.cancel(command.ticketId, { claimed: command.claimed });
    case 'postponeTicket':
      await desk.postpone(command.ticket);
      return undefined;
    case 'pausePlan':
      await desk.pause(planId);
      return undefined;
    case 'resumePlan':
    case 'finishPlan':
      await desk.resume(planId);
      return undefined;
    case 'buryTicket':
      await store.buryTicket(command.letter);
      await bus.bury(command.letter);
      metrics.ticketBuried(command.letter.taskType);
      return undefined;
    case 'admit':
    case 'setTimer':
    case 'clearTimer':
      // The workflow's own.
      return undefined;
  }
}

async function keep({ pool, store }: PlanActivitiesOptions, step: PlanStep): Promise<void> {
  const { planId, seq, items, head } = step;
  for (const item of items) {
    if (item.kind === 'audit') await recordAuditOnce(pool, planId, item.audit);
    if (item.kind === 'retried') await store.markRetried(item.retried.ticketId, item.retried);
  }
  await store.save({
    planId,
    seq,
    tickets: items.flatMap((item) => (item.kind === 'ticket' ? [item.ticket] : [])),
    progress: items.flatMap((item) => (item.kind === 'progress' ? [item.progress] : [])),
    telemetry: items.flatMap((item) => (item.kind === 'telemetry' ? [item.telemetry] : [])),
    head,
  });
}

export function count(metrics: EngineMetrics, counted: Counted, durationMs: number): void {
  if (counted.type === 'event') metrics.eventApplied(counted.event, durationMs);
  if (counted.type === 'ticket') metrics.ticketEnded(counted.taskType, counted.status);
  if (counted.type === 'plan') metrics.planEnded(counted.status, counted.durationMs);
}
