import { NeuralHiveError } from '@neural-hive/security/common';

export type PostgresServerErrorCode =
  | 'unsupported_system'
  | 'no_binaries'
  | 'no_unprivileged_user'
  | 'folder_unreachable'
  | 'folder_not_writable'
  | 'disk_full'
  | 'in_use'
  | 'initialisation_failed'
  | 'start_failed';

/** The server cannot be found, made or started. The message is one line that says what to do. */
export class PostgresServerError extends NeuralHiveError<PostgresServerErrorCode> {}

/** The error that tells a user what a failed file operation on `path` means. */
export function fileError(error: unknown, path: string): PostgresServerError {
  if (error instanceof PostgresServerError) return error;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT') return diskFull(path, error);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    const message = `The folder ${path} is not writable: choose another one for PostgreSQL or change its owner`;
    return new PostgresServerError('folder_not_writable', message, { cause: error });
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new PostgresServerError('start_failed', `PostgreSQL cannot use ${path}: ${reason}`, { cause: error });
}

export function diskFull(path: string, cause?: unknown): PostgresServerError {
  return new PostgresServerError('disk_full', `The disk that holds ${path} is full: free some space`, { cause });
}

/** Turns what a PostgreSQL program printed before it failed into one line. */
export function programError(
  code: 'initialisation_failed' | 'start_failed',
  what: string,
  output: string,
  path: string,
): PostgresServerError {
  if (/no space left on device|disk quota exceeded/i.test(output)) return diskFull(path);
  const lines = output.split('\n').map((line) => line.trim());
  const reason =
    lines.find((line) => /\b(FATAL|PANIC)\b|error:/i.test(line)) ?? lines.filter(Boolean).at(-1) ?? 'no output';
  return new PostgresServerError(code, `${what} failed: ${reason}`);
}
