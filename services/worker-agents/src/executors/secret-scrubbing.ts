import type { Secret } from '@neural-hive/security/common';
import type { Executed } from '../domain/execution-result.ts';
import { TicketFailure } from '../domain/failure.ts';

/** Shorter ones would be found everywhere. */
const MIN_SECRET_CHARACTERS = 6;

/** What an attempt found out, without the credentials that it was given: a program may say what it should not. */
export function withoutSecrets<Outcome extends Executed | TicketFailure>(
  outcome: Outcome,
  credentials: Secret<Record<string, string>> | undefined,
): Outcome {
  const values = Object.values(credentials?.reveal() ?? {}).filter(({ length }) => length >= MIN_SECRET_CHARACTERS);
  if (values.length === 0) return outcome;
  // The longest first: one may hold another.
  values.sort((a, b) => b.length - a.length);
  const scrub = (text: string): string => values.reduce((left, value) => left.replaceAll(value, '[secret]'), text);
  const scrubAll = (texts: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, scrub(text)]));
  const output = scrubAll(outcome.output);
  const logs = (outcome.logs ?? []).map(scrub);
  if (outcome instanceof TicketFailure) {
    return new TicketFailure(outcome.code, scrub(outcome.message), { output, logs }) as Outcome;
  }
  return { ...outcome, output, logs };
}
