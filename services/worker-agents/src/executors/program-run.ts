import type { ErrorClass } from '@neural-hive/contracts';
import { Secret } from '@neural-hive/security/common';
import { AttemptError, type AttemptErrorCode } from '../attempts/attempt-error.ts';
import type { AttemptRunner, AttemptSource, FinishedAttempt } from '../attempts/attempt-runner.ts';
import type { AllowedProgram, ProgramCatalogue, ProgramType } from '../attempts/program-catalogue.ts';
import type { Executed } from '../domain/execution-result.ts';
import type { Execution } from '../domain/executor.ts';
import { TicketFailure } from '../domain/failure.ts';
import { withoutSecrets } from './secret-scrubbing.ts';

const CLASSES: Readonly<Record<AttemptErrorCode, ErrorClass>> = {
  refused: 'parameters',
  not_started: 'execution',
  flooded: 'execution',
  lost: 'crash',
};

export function allowedFor(programs: ProgramCatalogue, name: string, type: ProgramType): AllowedProgram {
  const program = Object.hasOwn(programs, name) ? programs[name] : undefined;
  if (program?.task_types.includes(type) !== true) {
    throw new TicketFailure('parameters', `parameters.program: is not on the list of programs for ${type}`);
  }
  return program;
}

export interface ProgramRun {
  readonly program: string;
  /** The entry of the allow-list. */
  readonly allowed: AllowedProgram;
  readonly values: Readonly<Record<string, string>>;
  readonly sources: readonly AttemptSource[];
  /** For standard input. */
  readonly input?: string;
}

/**
 * Runs a program and hands its workspace to `read` before it is removed. What the program repeats of its credentials does
 * not get through. Throws a `TicketFailure`.
 */
export async function runProgram(
  runner: AttemptRunner,
  execution: Execution,
  { allowed, ...run }: ProgramRun,
  read: (attempt: FinishedAttempt) => Promise<Executed>,
): Promise<Executed> {
  const { attemptId, timeoutMs, signal } = execution;
  const credentials = await credentialsFor(execution, allowed.credentials);
  const outputBytes = allowed.limits.output_bytes;
  const shown = { ...(credentials !== undefined && { credentials: credentials.reveal() }) };
  const attempt = await runner
    .run({ attemptId, timeoutMs, outputBytes, ...run, ...shown }, { signal })
    .catch((error: unknown) => {
      throw error instanceof AttemptError
        ? new TicketFailure(CLASSES[error.code], error.message, { cause: error })
        : error;
    });
  try {
    assertEnded(attempt, timeoutMs, allowed);
    return withoutSecrets(await read(attempt), credentials);
  } catch (error) {
    throw error instanceof TicketFailure ? withoutSecrets(error, credentials) : error;
  } finally {
    await attempt.dispose();
  }
}

function assertEnded({ exit, output }: FinishedAttempt, timeoutMs: number, { limits }: AllowedProgram): void {
  const logs = output.lines();
  if (exit.timedOut) throw new TicketFailure('timeout', `The program did not end within ${timeoutMs} ms`, { logs });
  if (exit.signal === 'SIGXCPU') {
    throw new TicketFailure('execution', `The program used up its ${limits.cpu_seconds} s of computing`, { logs });
  }
  if (exit.signal !== null) throw new TicketFailure('crash', `The program was ended by ${exit.signal}`, { logs });
}

/** Those entries that the program may have; read anew for each attempt and held no longer. */
async function credentialsFor(
  { credentials: read }: Execution,
  names: readonly string[],
): Promise<Secret<Record<string, string>> | undefined> {
  if (names.length === 0) return undefined;
  const entries = (await read()).reveal();
  const missing = names.filter((name) => typeof entries[name] !== 'string');
  if (missing.length > 0) {
    throw new TicketFailure('backend', `Vault holds no credentials ${missing.join(', ')} for this task type`);
  }
  return new Secret(Object.fromEntries(names.map((name) => [name, String(entries[name])])));
}
