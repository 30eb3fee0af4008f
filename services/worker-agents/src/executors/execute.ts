import { z } from 'zod';
import type { FinishedJob, KubernetesJobs } from '../adapters/kubernetes/kubernetes-jobs.ts';
import type { AttemptRunner } from '../attempts/attempt-runner.ts';
import type { ProgramCatalogue } from '../attempts/program-catalogue.ts';
import type { Executed } from '../domain/execution-result.ts';
import type { Execution, Executor } from '../domain/executor.ts';
import { TicketFailure } from '../domain/failure.ts';
import { readParameters } from './parameters.ts';
import { allowedFor, runProgram } from './program-run.ts';
import { type FolderPlaces, namedFolder, textOf } from './sources.ts';

export interface ExecuteOptions extends FolderPlaces {
  readonly runner: AttemptRunner;
  readonly programs: ProgramCatalogue;
  /** The cluster's Jobs. Default: none. */
  readonly jobs?: KubernetesJobs | undefined;
}

const parameters = z
  .object({
    program: z.string(),
    project: z.string().optional(),
    artifact: z.string().optional(),
    artifact_from: z.string().optional(),
    /** What the program reads from standard input. */
    input: z.string().optional(),
    input_from: z.string().optional(),
  })
  .catchall(z.string());

const jobParameters = z.object({ job: z.string() }).catchall(z.string());

/** What an undo has to run: kept in the ticket's output, and checked against the allow-list again. */
export const undoOrder = z.union([
  z.strictObject({
    program: z.string(),
    values: z.record(z.string(), z.string()),
    project: z.string().optional(),
  }),
  z.strictObject({ job: z.string(), values: z.record(z.string(), z.string()) }),
]);
export type UndoOrder = z.output<typeof undoOrder>;

/** The end of standard output that is kept. */
const MAX_STDOUT_CHARACTERS = 16_384;

/**
 * EXECUTE: an allow-listed program runs in a fresh workspace, on a project or an artifact if one is named; or an allow-listed
 * job in the cluster. Further parameters are the values of the placeholders. Output: `exit_code`, `stdout`, and `undo` when
 * there is something that undoes it. Any exit code but 0 is a failure.
 */
export function executeExecutor({ runner, programs, jobs, ...places }: ExecuteOptions): Executor {
  return {
    type: 'EXECUTE',
    async execute(execution) {
      const { ticket } = execution;
      if (ticket.parameters.job !== undefined) return executeJob(jobs, execution);
      const { program, project, artifact, artifact_from, input, input_from, ...values } = readParameters(
        parameters,
        ticket,
      );
      const allowed = allowedFor(programs, program, 'EXECUTE');
      const folder = namedFolder(ticket, { project, artifact, artifact_from }, places);
      const text = textOf(ticket, 'input', { text: input, from: input_from });
      const run = {
        ...{ program, allowed, values, sources: folder === undefined ? [] : [{ from: folder, to: '.' }] },
        ...(text !== undefined && { input: text }),
      };
      return runProgram(runner, execution, run, async ({ exit, output }) => {
        const logs = output.lines();
        const found = { exit_code: String(exit.code), stdout: output.text('stdout').slice(-MAX_STDOUT_CHARACTERS) };
        if (exit.code !== 0) {
          const message = `The program ended with exit code ${exit.code}`;
          throw new TicketFailure('execution', message, { output: found, logs });
        }
        const undo = allowed.undo === undefined ? undefined : orderOf(allowed.undo, values, project);
        return {
          output: { ...found, ...(undo !== undefined && { undo }) },
          neededToUndo: ['undo'],
          metadata: { program, uid_separation: String(runner.separated) },
          logs,
        };
      });
    },
  };
}

async function executeJob(jobs: KubernetesJobs | undefined, execution: Execution): Promise<Executed> {
  const { job, ...values } = readParameters(jobParameters, execution.ticket);
  const { name, exitCode, stdout } = await runJob(jobs, execution, job, values);
  const undo = jobs?.undoOf(job);
  return {
    output: {
      exit_code: String(exitCode ?? 0),
      ...(stdout !== undefined && { stdout: stdout.slice(-MAX_STDOUT_CHARACTERS) }),
      ...(undo !== undefined && { undo: JSON.stringify({ job: undo, values } satisfies UndoOrder) }),
    },
    neededToUndo: ['undo'],
    metadata: { job, kubernetes_job: name, stdout: stdout === undefined ? 'unavailable' : 'read' },
    logs: stdout?.split('\n').filter((line) => line !== '') ?? [],
  };
}

async function runJob(
  jobs: KubernetesJobs | undefined,
  { ticket, fencing, timeoutMs, signal }: Execution,
  job: string,
  values: Readonly<Record<string, string>>,
): Promise<FinishedJob> {
  if (jobs === undefined) throw new TicketFailure('parameters', 'This worker runs no jobs in a cluster');
  const { ticket_id: ticketId, retry_count: retryCount } = ticket;
  return jobs.run({ job, values, ticketId, retryCount, fencing, timeoutMs, signal });
}

function orderOf(program: string, values: UndoOrder['values'], project: string | undefined): string {
  return JSON.stringify({ program, values, ...(project !== undefined && { project }) } satisfies UndoOrder);
}

/** Runs what undoes another, and says its name. Throws a `TicketFailure`. */
export async function undoExecution(
  { runner, programs, jobs, ...places }: ExecuteOptions,
  execution: Execution,
  undo: string,
): Promise<string> {
  const order = undoOrder.safeParse(parseJson(undo));
  if (!order.success) throw new TicketFailure('parameters', 'compensates.output.undo: is no order to undo something');
  if ('job' in order.data) {
    const { job, values } = order.data;
    if (jobs?.isUndo(job) !== true) {
      throw new TicketFailure('parameters', 'compensates.output.undo: names no job that undoes another');
    }
    await runJob(jobs, execution, job, values);
    return job;
  }
  const { program, values, project } = order.data;
  const isUndo = Object.values(programs).some((other) => other.undo === program);
  if (!isUndo) throw new TicketFailure('parameters', 'compensates.output.undo: names no program that undoes another');
  const allowed = allowedFor(programs, program, 'EXECUTE');
  const folder = namedFolder(execution.ticket, { project }, places);
  const sources = folder === undefined ? [] : [{ from: folder, to: '.' }];
  await runProgram(runner, execution, { program, allowed, values, sources }, async ({ exit, output }) => {
    const logs = output.lines();
    if (exit.code !== 0) throw new TicketFailure('execution', `The undo ended with exit code ${exit.code}`, { logs });
    return { output: {}, logs };
  });
  return program;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
