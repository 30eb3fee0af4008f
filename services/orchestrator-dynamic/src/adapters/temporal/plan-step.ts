import type { PlanCommand, PlanEvent, PlanStatus } from '../../domain/index.ts';
import type { NumberedProgress, WishAction } from '../../ports/plan-engine.ts';
import type { HeadRecord, KeyedTelemetry, TicketRecord } from '../../ports/plan-store.ts';

/** A line of the audit trail; `key` is the same however often it is written. */
export interface AuditLine {
  readonly key: string;
  readonly action: WishAction | 'retry';
  readonly by: string;
  readonly detail: Readonly<Record<string, string>>;
}

export interface RetriedLetter {
  readonly ticketId: string;
  readonly as: string;
  readonly by: string;
}

/** What the service's metrics are told. */
export type Counted =
  | { readonly type: 'event'; readonly event: PlanEvent['type'] }
  | { readonly type: 'ticket'; readonly taskType: string; readonly status: string }
  | { readonly type: 'plan'; readonly status: PlanStatus; readonly durationMs: number };

/** One thing to carry out or to keep, in the order in which that has to happen. */
export type StepItem =
  | { readonly kind: 'command'; readonly command: PlanCommand }
  | { readonly kind: 'ticket'; readonly ticket: TicketRecord }
  | { readonly kind: 'progress'; readonly progress: NumberedProgress }
  | { readonly kind: 'telemetry'; readonly telemetry: KeyedTelemetry }
  | { readonly kind: 'retried'; readonly retried: RetriedLetter }
  | { readonly kind: 'audit'; readonly audit: AuditLine }
  | { readonly kind: 'count'; readonly count: Counted };

/** What one activity does: commands first, then it keeps what they came from. Doing it again changes nothing. */
export interface PlanStep {
  readonly planId: string;
  readonly seq: number;
  readonly items: readonly StepItem[];
  /** Of the last step of a turn; null before. */
  readonly head: HeadRecord | null;
}

export interface StepOutcome {
  /** What happened to a ticket before it could be cancelled; the commands behind it were not carried out. */
  readonly meanwhile: PlanEvent | null;
  /** Tickets that can never be published as they are. */
  readonly undeliverable: readonly { readonly ticketId: string; readonly reason: string }[];
}

/** Temporal takes no payload over 2 MiB; characters may take three bytes. */
const MAX_STEP_LENGTH = 400_000;
const MAX_STEP_ITEMS = 200;

/** Spreads the items over as many steps as it takes; the last has the head. */
export function stepsOf(
  { planId, seq }: Pick<PlanStep, 'planId' | 'seq'>,
  items: readonly StepItem[],
  head: HeadRecord | null,
): readonly PlanStep[] {
  const steps: { items: StepItem[] }[] = [{ items: [] }];
  let length = 0;
  for (const item of items) {
    const own = JSON.stringify(item).length;
    const last = steps.at(-1);
    if (last !== undefined && last.items.length > 0) {
      if (length + own > MAX_STEP_LENGTH || last.items.length >= MAX_STEP_ITEMS) {
        steps.push({ items: [] });
        length = 0;
      }
    }
    steps.at(-1)?.items.push(item);
    length += own;
  }
  return steps.map((step, index) => ({ planId, seq, ...step, head: index === steps.length - 1 ? head : null }));
}

const MAX_ITEM_LENGTH = 600_000;

/** The ticket of a step that holds nothing but its publication and does not fit into a payload. */
export function isOversized({ items }: PlanStep): string | undefined {
  const [item] = items;
  if (items.length !== 1 || item?.kind !== 'command' || item.command.type !== 'publishTicket') return undefined;
  return JSON.stringify(item).length > MAX_ITEM_LENGTH ? item.command.ticket.ticket_id : undefined;
}
