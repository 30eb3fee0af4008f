import type { ErrorClass } from '@neural-hive/contracts';
import { AttemptError, type AttemptErrorCode } from '../attempts/attempt-error.ts';
import type { AttemptRunner, AttemptSource, FinishedAttempt } from '../attempts/attempt-runner.ts';
import type { AllowedProgram, ProgramCatalogue } from '../attempts/program-catalogue.ts';
import type { Execution } from '../domain/executor.ts';
import { TicketFailure } from '../domain/failure.ts';

const CLASSES: Readonly<Record<AttemptErrorCode, ErrorClass>> = {
  refused: 'parameters',
  not_started: 'execution',
  lost: 'crash',
};

export function allowedFor(programs: ProgramCatalogue, name: string, type: 'BUILD' | 'TEST'): AllowedProgram {
  const program = Object.hasOwn(programs, name) ? programs[name] : undefined;
  if (program?.task_types.includes(type) !== true) {
    throw new TicketFailure('parameters', `parameters.program: is not on the list of programs for ${type}`);
  }
  return program;
}

export interface ProgramRun {
  readonly program: string;
  readonly values: Readonly<Record<string, string>>;
  readonly sources: readonly AttemptSource[];
}

/** Runs a program and hands its workspace to `read` before it is removed. Throws a `TicketFailure`. */
export async function runProgram<T>(
  runner: AttemptRunner,
  { attemptId, timeoutMs, signal }: Execution,
  run: ProgramRun,
  read: (attempt: FinishedAttempt) => Promise<T>,
): Promise<T> {
  const attempt = await runner.run({ attemptId, timeoutMs, ...run }, { signal }).catch((error: unknown) => {
    throw error instanceof AttemptError
      ? new TicketFailure(CLASSES[error.code], error.message, { cause: error })
      : error;
  });
  try {
    const { exit, output } = attempt;
    const logs = output.lines();
    if (exit.timedOut) throw new TicketFailure('timeout', `The program did not end within ${timeoutMs} ms`, { logs });
    if (exit.signal !== null) throw new TicketFailure('crash', `The program was ended by ${exit.signal}`, { logs });
    return await read(attempt);
  } finally {
    await attempt.dispose();
  }
}
