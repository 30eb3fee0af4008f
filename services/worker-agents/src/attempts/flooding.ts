import { AttemptError } from './attempt-error.ts';
import type { AttemptSpec } from './attempt-runner.ts';
import type { OutputTail } from './output-tail.ts';

/** Whether the program has said more than it may. */
export function isFlooded(output: OutputTail, { outputBytes = Number.POSITIVE_INFINITY }: AttemptSpec): boolean {
  return output.bytes > outputBytes;
}

export function flooded({ outputBytes }: AttemptSpec): AttemptError {
  return new AttemptError('flooded', `The program said more than ${outputBytes} bytes and was ended`);
}
