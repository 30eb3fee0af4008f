import type { ErrorClass } from '@neural-hive/contracts';
import { NeuralHiveError } from '@neural-hive/security/common';

/** Why an attempt failed. The message travels to the orchestrator: it names no secret and no parameter value. */
export class TicketFailure extends NeuralHiveError<ErrorClass> {
  /** What the attempt found out before it failed. */
  readonly output: Readonly<Record<string, string>>;
  readonly logs: readonly string[];

  constructor(
    errorClass: ErrorClass,
    message: string,
    options: { cause?: unknown; output?: Readonly<Record<string, string>>; logs?: readonly string[] } = {},
  ) {
    super(errorClass, message, { retryable: RETRYABLE.has(errorClass), cause: options.cause });
    this.output = options.output ?? {};
    this.logs = options.logs ?? [];
  }
}

const RETRYABLE: ReadonlySet<ErrorClass> = new Set<ErrorClass>(['execution', 'timeout', 'backend', 'crash']);

/** The failure that anything thrown by an executor stands for. What nobody foresaw is a crash. */
export function failureOf(error: unknown): TicketFailure {
  if (error instanceof TicketFailure) return error;
  if (error instanceof NeuralHiveError) return new TicketFailure('backend', error.message, { cause: error });
  return new TicketFailure('crash', 'The executor failed in a way that it does not know', { cause: error });
}
