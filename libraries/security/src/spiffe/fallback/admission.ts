import { isNonProduction, NON_PRODUCTION } from '../../common/index.ts';
import { SpiffeError } from '../spiffe-error.ts';

export const admitsFallback = isNonProduction;

/** @throws SpiffeError `FALLBACK_REFUSED` */
export function assertFallbackAdmitted(environment: string | undefined): void {
  if (admitsFallback(environment)) return;
  const where = environment === undefined || environment === '' ? 'an environment without a name' : environment;
  throw new SpiffeError(
    'FALLBACK_REFUSED',
    `SVIDs from files and variables are refused in ${where}: only ${[...NON_PRODUCTION].join(', ')} admit them`,
  );
}
