import { z } from 'zod';
import type { AttemptRunner } from '../attempts/attempt-runner.ts';
import type { ProgramCatalogue } from '../attempts/program-catalogue.ts';
import type { Executor } from '../domain/executor.ts';
import { TicketFailure } from '../domain/failure.ts';
import { readParameters } from './parameters.ts';
import { allowedFor, runProgram } from './program-run.ts';
import { textOf } from './sources.ts';

const parameters = z
  .object({ program: z.string(), input: z.string().optional(), input_from: z.string().optional() })
  .catchall(z.string());

/** A longer one would be cut on its way. */
const MAX_RESULT_CHARACTERS = 65_536;

/**
 * TRANSFORM: an allow-listed program reads a text, the ticket's own or one that a dependency came to, and says another.
 * Output: `result`, all that the program said.
 */
export function transformExecutor(options: { runner: AttemptRunner; programs: ProgramCatalogue }): Executor {
  const { runner, programs } = options;
  return {
    type: 'TRANSFORM',
    async execute(execution) {
      const { ticket } = execution;
      const { program, input, input_from, ...values } = readParameters(parameters, ticket);
      const allowed = allowedFor(programs, program, 'TRANSFORM');
      const text = textOf(ticket, 'input', { text: input, from: input_from });
      if (text === undefined) throw new TicketFailure('parameters', 'parameters.input: or input_from is needed');
      return runProgram(runner, execution, { program, allowed, values, sources: [], input: text }, async (attempt) => {
        const { exit, output } = attempt;
        const result = output.text('stdout');
        if (exit.code !== 0) {
          const message = `The transformation failed with exit code ${exit.code}`;
          throw new TicketFailure('execution', message, { logs: output.lines() });
        }
        if (output.truncated || result.length > MAX_RESULT_CHARACTERS) {
          throw new TicketFailure('execution', `The result is longer than ${MAX_RESULT_CHARACTERS} characters`);
        }
        return { output: { result }, metadata: { program, uid_separation: String(runner.separated) } };
      });
    },
  };
}
