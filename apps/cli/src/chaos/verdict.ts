import type { PlanView, ProgressLine } from '../client/orchestrator-client.ts';
import type { LedgerLine } from './ledger.ts';

/** A plan at the end of a run, with what the platform told about it on the way. */
export interface EndedPlan {
  readonly view: PlanView;
  readonly progress: readonly ProgressLine[];
}

export interface Verdict {
  readonly tickets: number;
  /** What the platform accepted and did not do, or did not undo. One line each. */
  readonly lost: readonly string[];
  /** What had its effect or its result more than once. One line each. */
  readonly doubled: readonly string[];
  /** Attempts that had their effect although another attempt of the same ticket had had it: the key tells the receiver. */
  readonly repeats: number;
}

const FINAL_TICKETS = ['COMPLETED', 'FAILED', 'CANCELLED', 'COMPENSATED'];

/** Holds what the platform says about its plans against what the ledger has seen. */
export function judge(plans: readonly EndedPlan[], ledger: readonly LedgerLine[]): Verdict {
  const lost: string[] = [];
  const doubled: string[] = [];
  for (const { view, progress } of plans) {
    lost.push(...lostOf(view, ledger));
    doubled.push(...appliedTwice(view, progress));
  }
  const known = new Set(plans.map(({ view }) => view.id));
  for (const { effect } of ledger) {
    if (!known.has(effect.slice(0, effect.indexOf('/')))) doubled.push(`${effect}: of a plan that nobody submitted`);
  }
  const { twice, repeats } = repeated(ledger);
  doubled.push(...twice);
  return { tickets: plans.reduce((sum, { view }) => sum + view.tickets.length, 0), lost, doubled, repeats };
}

function* lostOf(view: PlanView, ledger: readonly LedgerLine[]): Generator<string> {
  if (!view.final) yield `${view.id}: is still ${view.status}`;
  const undone = new Set(view.tickets.flatMap(({ compensates }) => (compensates === null ? [] : [compensates])));
  const seen = (kind: string, taskId: string): boolean =>
    ledger.some((line) => line.kind === kind && line.effect === `${view.id}/${taskId}`);
  for (const { id, taskId, type, status, compensates } of view.tickets) {
    const where = `${view.id}/${taskId} (${id})`;
    if (!FINAL_TICKETS.includes(status)) yield `${where}: is still ${status}`;
    if (compensates !== null || type === 'QUERY') continue;
    const done = status === 'COMPLETED' || status === 'COMPENSATED';
    if (view.final && view.status !== 'COMPLETED' && status === 'COMPLETED') yield `${where}: was not undone`;
    if (view.status === 'COMPLETED' && status !== 'COMPLETED') yield `${where}: is ${status} in a completed plan`;
    if (status === 'COMPENSATED' && !undone.has(id)) yield `${where}: was undone by nobody`;
    if (type !== 'EXECUTE') continue;
    if (done && !seen('do', taskId)) yield `${where}: is ${status} without an effect`;
    if (status === 'COMPENSATED' && !seen('undo', taskId)) yield `${where}: is COMPENSATED without an undo`;
  }
}

/** A ticket completes once: a second time means that a result was applied twice, or that it was begun anew. */
function* appliedTwice({ id }: PlanView, progress: readonly ProgressLine[]): Generator<string> {
  const completed = new Set<string>();
  for (const line of progress) {
    if (line.type !== 'ticket' || line.status !== 'COMPLETED') continue;
    if (completed.has(line.ticketId)) yield `${id}/${line.taskId}: completed twice`;
    completed.add(line.ticketId);
  }
}

/**
 * The receiver of an effect takes one a key. What would get past it: another key for the same effect, and an attempt that
 * ran twice under the one fencing token that was to tell it from others.
 */
function repeated(ledger: readonly LedgerLine[]): { twice: readonly string[]; repeats: number } {
  const keys = new Map<string, string>();
  const attempts = new Set<string>();
  const twice: string[] = [];
  let repeats = 0;
  for (const { kind, effect, key, fencing } of ledger) {
    const what = `${kind} ${effect}`;
    const before = keys.get(what);
    if (before === undefined) keys.set(what, key);
    else if (before !== key) twice.push(`${what}: under two keys, ${before} and ${key}`);
    else if (attempts.has(`${what} ${fencing}`)) twice.push(`${what}: twice under the token ${fencing}`);
    else repeats += 1;
    attempts.add(`${what} ${fencing}`);
  }
  return { twice, repeats };
}
