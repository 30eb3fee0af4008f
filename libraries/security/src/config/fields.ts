import type { z } from 'zod';
import { messageOf, Secret } from '../common/index.ts';
import { ConfigError, type Environment, field, readConfig } from './environment.ts';

/** Text that nothing prints. */
export const secret = () =>
  field
    .text()
    .transform((text) => new Secret(text))
    .optional();

/** The value as it was written, once `parse` takes it. */
export function checked(parse: (text: string) => unknown) {
  return field.text().superRefine((text, context) => {
    try {
      parse(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: messageOf(error) });
    }
  });
}

export const path = (description: string) => field.text().optional().meta({ form: 'path', description });

/** What `read` gives; undefined when it finds problems, which are added. */
export function collect<T>(read: () => T, problems: string[]): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}

/**
 * What the environment says, once no variable is at fault by itself and none contradicts another.
 * @throws ConfigError with every problem of both kinds at once
 */
export function readConsistent<Schema extends z.ZodType>(
  schema: Schema,
  env: Environment,
  contradictions: (env: Environment) => Iterable<string>,
): z.output<Schema> {
  const problems: string[] = [];
  const read = collect(() => readConfig(schema, env), problems);
  // Judged on what was written, so that one wrong variable does not hide what is wrong between others.
  problems.push(...contradictions(env));
  if (read === undefined || problems.length > 0) throw new ConfigError(problems);
  return read;
}
