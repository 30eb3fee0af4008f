import { messageOf, Secret } from '../common/index.ts';
import { ConfigError, field } from './environment.ts';

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
