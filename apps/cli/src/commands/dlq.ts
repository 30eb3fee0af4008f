import { asOperator } from '../client/operator.ts';
import type { DeadLetter } from '../client/orchestrator-client.ts';
import { EXIT } from '../failure.ts';
import type { Output } from '../output.ts';
import { describePlan, exitCodeOf } from '../progress.ts';
import { follow } from './plan.ts';

interface Options {
  readonly home?: string;
}

function describe(letter: DeadLetter): string {
  const { ticketId, taskType, taskId, planId, compensates, errorClass, attempts, atMs, retriedAs } = letter;
  const what = `${taskType} ${taskId} of plan ${planId}${compensates === null ? '' : ' (an undo)'}`;
  const then = retriedAs === null ? '' : `, tried again as ${retriedAs}`;
  return `${ticketId}  ${what}: ${errorClass} after ${attempts} attempts, ${new Date(atMs).toISOString()}${then}`;
}

/** Lists the tickets that were given up and not tried again. */
export function listDeadLetters(options: Options & { all: boolean; limit: string }, output: Output): Promise<number> {
  return asOperator(options.home, async ({ orchestrator }) => {
    const deadLetters = await orchestrator.deadLetters({ all: String(options.all), limit: options.limit });
    for (const letter of deadLetters) output.line(describe(letter));
    if (deadLetters.length === 0) output.line('no dead letters');
    output.result({ deadLetters });
    return EXIT.ok;
  });
}

export function showDeadLetter(ticketId: string, options: Options, output: Output): Promise<number> {
  return asOperator(options.home, async ({ orchestrator }) => {
    const letter = await orchestrator.deadLetter(ticketId);
    output.line(describe(letter));
    output.line(`  ${letter.errorMessage}`);
    for (const line of letter.errorLogs) output.line(`    ${line}`);
    output.result(letter);
    return EXIT.ok;
  });
}

/** Tries again, and says as what: an undo within its plan, of any other ticket the whole plan under an id of its own. */
export function retryDeadLetter(
  ticketId: string,
  options: Options & { watch: boolean },
  output: Output,
): Promise<number> {
  return asOperator(options.home, async (operator) => {
    const { retriedAs, plan } = await operator.orchestrator.retryDeadLetter(ticketId);
    output.line(`tried again as ${retriedAs}: plan ${plan.id} is ${plan.status}`);
    const view = options.watch ? await follow(operator, plan.id, output) : plan;
    if (view.final) for (const line of describePlan(view)) output.line(line);
    output.result({ retriedAs, plan: view });
    return exitCodeOf(view);
  });
}
