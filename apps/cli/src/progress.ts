import type { PlanView, ProgressLine } from './client/orchestrator-client.ts';
import { EXIT } from './failure.ts';

/** One line for a person about one thing that happened to a plan; undefined when it is not worth a line. */
export function describeProgress(line: ProgressLine): string | undefined {
  if (line.type === 'plan') return `plan ${line.status}${line.message === null ? '' : `: ${line.message}`}`;
  // Told again once a worker has it.
  if (line.step === 'published' || (line.step === 'claimed' && line.worker === null)) return undefined;
  const what = `${line.taskType.padEnd(10)} ${line.taskId}`;
  const undoes = line.compensates === null ? '' : ' (undoes an earlier ticket)';
  if (line.step === 'claimed') return `  ${what} attempt ${line.attempt} on ${line.worker}${undoes}`;
  const took = line.durationMs === null ? '' : ` in ${(line.durationMs / 1000).toFixed(2)} s`;
  const message = line.message === null ? '' : `: ${line.message}`;
  return `  ${what} ${line.step === 'retry' ? 'failed, tried again' : line.status}${took}${message}`;
}

/** The end of what a failed program printed. */
const SHOWN_LOG_LINES = 20;

/** The tickets of a plan as aligned lines. */
export function describePlan(plan: PlanView): string[] {
  const lines = [`plan ${plan.id}: ${plan.status} (submitted by ${plan.submittedBy}, decision ${plan.decision})`];
  for (const ticket of plan.tickets) {
    const took = ticket.durationMs === null ? '' : `${(ticket.durationMs / 1000).toFixed(2)} s`;
    lines.push(
      `  ${ticket.type.padEnd(10)} ${ticket.taskId.padEnd(24)} ${ticket.status.padEnd(12)} ${took.padStart(8)}`,
    );
    if (ticket.outputReference !== null)
      lines.push(`    output is sensitive and lies in Vault: ${ticket.outputReference}`);
    for (const [name, value] of Object.entries(ticket.output)) lines.push(`    ${name}: ${value.slice(0, 100)}`);
    if (ticket.error !== null) {
      lines.push(`    ${ticket.error.class}: ${ticket.error.message}`);
      for (const line of ticket.error.logs.slice(-SHOWN_LOG_LINES)) lines.push(`      ${line}`);
    }
  }
  if (plan.failure !== null) lines.push(`  failed: ${plan.failure.message}`);
  return lines;
}

/** 0 for a plan that completed or goes on, 1 for one that ended otherwise. */
export function exitCodeOf(plan: { status: string; final: boolean }): number {
  return !plan.final || plan.status === 'COMPLETED' ? EXIT.ok : EXIT.fellShort;
}
