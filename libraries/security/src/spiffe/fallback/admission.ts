import { SpiffeError } from '../spiffe-error.ts';

const ADMITTED: ReadonlySet<string> = new Set(['development', 'dev', 'local', 'test']);

/** A list of what is admitted and not of what is refused: a new or misspelt name must not open it. */
export function admitsFallback(environment: string | undefined): boolean {
  return environment !== undefined && ADMITTED.has(environment);
}

/** @throws SpiffeError `FALLBACK_REFUSED` */
export function assertFallbackAdmitted(environment: string | undefined): void {
  if (admitsFallback(environment)) return;
  const where = environment === undefined || environment === '' ? 'an environment without a name' : environment;
  throw new SpiffeError(
    'FALLBACK_REFUSED',
    `SVIDs from files and variables are refused in ${where}: only ${[...ADMITTED].join(', ')} admit them`,
  );
}
