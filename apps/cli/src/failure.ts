/** What `hive` exits with; `hive --help` prints this table. */
export const EXIT = {
  /** Done, and the plan (where there is one) completed. */
  ok: 0,
  /** The work ended badly: a plan failed, was cancelled or compensated, or a figure fell short. */
  fellShort: 1,
  /** The input is wrong: every problem is listed, nothing was stored. */
  badInput: 2,
  /** The surroundings do not allow it: no platform running, port taken, folder not writable, Node too old. */
  environment: 3,
  /** The platform refused the caller. */
  refused: 4,
} as const;

/** An end of the command that the user is told in one line (and one line a detail), without a stack. */
export class Failure extends Error {
  readonly exitCode: number;
  readonly details: readonly string[];

  constructor(exitCode: number, message: string, options: { details?: readonly string[]; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'Failure';
    this.exitCode = exitCode;
    this.details = options.details ?? [];
  }
}

/** A fault of the surroundings, with what to do about it. */
export function environmentFailure(message: string, cause?: unknown): Failure {
  return new Failure(EXIT.environment, message, { cause });
}

/** The one line for file-system faults that a user can mend. */
export function fileFailure(error: unknown, path: string): Failure {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOSPC') return environmentFailure(`The disk that holds ${path} is full: free some space.`, error);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return environmentFailure(`${path} is not writable: choose another folder with --home or HIVE_HOME.`, error);
  }
  const reason = error instanceof Error ? error.message : String(error);
  return environmentFailure(
    `${path} cannot be used (${reason}): choose another folder with --home or HIVE_HOME.`,
    error,
  );
}
