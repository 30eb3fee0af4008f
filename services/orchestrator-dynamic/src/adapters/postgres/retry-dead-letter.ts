import { compensationIdOf, isFinal, type PlanState, rerunOf } from '../../domain/index.ts';
import type { RetryOutcome, StoredDeadLetter, SubmitOutcome } from '../../ports/plan-engine.ts';
import { recordAudit } from './audit.ts';
import { findDeadLetter, markRetried } from './dead-letters.ts';
import { type Applied, applyGiven, type PlanTransactionOptions } from './plan-transaction.ts';
import { inTransaction } from './session-pool.ts';

export interface RetryOptions extends PlanTransactionOptions {
  readonly ticketId: string;
  /** SPIFFE ID of who asks. */
  readonly by: string;
  readonly nowMs: number;
  readonly submit: (...args: Parameters<Submit>) => Promise<SubmitOutcome>;
  readonly afterCommit: (planId: string, applied: Applied) => void;
}

type Submit = (
  plan: PlanState['plan'],
  by: string,
  decision: PlanState['decision'] | undefined,
) => Promise<SubmitOutcome>;

/**
 * Tries a dead letter again. An undo goes on within its plan, which undoes what it had left in place for it. Of any other
 * ticket the whole plan runs again under an id of its own: what it had completed was undone when the ticket was given up.
 * Asking again for what was tried again already answers the same.
 */
export async function retryDeadLetter(options: RetryOptions): Promise<RetryOutcome> {
  const { pool, store, ticketId } = options;
  const letter = await findDeadLetter(pool, ticketId);
  if (letter === undefined) return { kind: 'unknown' };
  const stored = await store.read(pool, letter.planId);
  if (stored === undefined) return { kind: 'unknown' };
  if (letter.compensates !== null) return undoAgain(options, letter, stored.state);
  if (!isFinal(stored.state.status)) {
    return { kind: 'refused', reason: `its plan is ending still: it is ${stored.state.status}` };
  }
  return runAgain(options, letter, stored.state);
}

async function undoAgain(options: RetryOptions, letter: StoredDeadLetter, state: PlanState): Promise<RetryOutcome> {
  const { ticketId, by, nowMs, afterCommit } = options;
  const { planId } = letter;
  const retriedAs = compensationIdOf(ticketId);
  if (letter.retriedAs !== null) return { kind: 'done', retriedAs: letter.retriedAs, state };
  const applied = await applyGiven(
    options,
    planId,
    () => ({ eventId: `retried:${ticketId}`, event: { type: 'retried', atMs: nowMs, ticketId, by } }),
    async (client) => {
      await markRetried(client, ticketId, { as: retriedAs, by });
      await recordAudit(client, planId, 'retry', by, { ticket_id: ticketId, retried_as: retriedAs });
    },
  );
  if (applied === undefined) return { kind: 'unknown' };
  const { refusal } = applied.decision;
  if (refusal !== null) return { kind: 'refused', reason: refusal };
  afterCommit(planId, applied);
  return { kind: 'done', retriedAs, state: applied.decision.state };
}

async function runAgain(options: RetryOptions, letter: StoredDeadLetter, before: PlanState): Promise<RetryOutcome> {
  const { pool, ticketId, by, submit } = options;
  const rerun = rerunOf(before);
  if (rerun === undefined) return { kind: 'refused', reason: 'the id of its plan leaves no room for that of a rerun' };
  // The ids follow from the plan's: a crash between these two is made good by asking again.
  const outcome = await submit(rerun.plan, by, rerun.decision);
  const retriedAs = rerun.plan.plan_id;
  if (outcome.kind === 'conflict') return { kind: 'refused', reason: `there is another plan ${retriedAs}` };
  await inTransaction(pool, async (client) => {
    if (!(await markRetried(client, ticketId, { as: retriedAs, by }))) return;
    await recordAudit(client, letter.planId, 'retry', by, { ticket_id: ticketId, retried_as: retriedAs });
  });
  return { kind: 'done', retriedAs, state: outcome.state };
}
