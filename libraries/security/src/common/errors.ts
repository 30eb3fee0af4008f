/**
 * The base of every error of this library about wrong data or a failing peer. Wrong arguments are
 * `TypeError` and `RangeError` instead. The message says what was attempted, which rule failed and what to do;
 * it never holds a secret.
 */
export abstract class NeuralHiveError<Code extends string = string> extends Error {
  readonly code: Code;
  /** Whether the same call may succeed later without a change by the caller. */
  readonly retryable: boolean;

  constructor(code: Code, message: string, options: { retryable?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
