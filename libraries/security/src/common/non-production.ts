/** A list of what is admitted and not of what is refused: a new or misspelt name must not open anything. */
export const NON_PRODUCTION: ReadonlySet<string> = new Set(['development', 'dev', 'local', 'test']);

/** Whether the environment of this name admits what must never happen in production. One without a name does not. */
export function isNonProduction(environment: string | undefined): boolean {
  return environment !== undefined && NON_PRODUCTION.has(environment);
}
