export interface StatementValues {
  readonly name: string;
  readonly password?: string;
  readonly expiration?: string;
}

/** Nothing that could end a quoted SQL text or identifier. */
const SAFE = { name: /^[\w.-]{1,63}$/, password: /^[\w.$:+/=-]+$/, expiration: /^[\d: +.-]+$/ };

/**
 * Puts values into `{{name}}`, `{{username}}`, `{{password}}` and `{{expiration}}`. Authors quote the places
 * themselves (`"{{name}}"`, `'{{password}}'`), so a value that needed escaping is refused instead.
 */
export function fillStatement(statement: string, values: StatementValues): string {
  for (const [key, pattern] of Object.entries(SAFE)) {
    const value = values[key as keyof StatementValues];
    if (value !== undefined && !pattern.test(value))
      throw new RangeError(`The ${key} has characters that SQL would have to escape`);
  }
  return statement.replace(/\{\{\s*(name|username|password|expiration)\s*\}\}/g, (_match, key: string) => {
    const value = key === 'password' ? values.password : key === 'expiration' ? values.expiration : values.name;
    if (value === undefined) throw new RangeError(`A statement asks for {{${key}}}, which is not known at this point`);
    return value;
  });
}

/** As PostgreSQL reads a `timestamptz`: `2026-01-02 03:04:05+00`. */
export function expirationText(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19).replace('T', ' ')}+00`;
}

/** `v-<who>-<role>-<random>-<epoch seconds>`, at most 63 bytes: what PostgreSQL keeps of a name. */
export function leasedName({
  who,
  role,
  random,
  epochSeconds,
}: {
  who: string;
  role: string;
  random: string;
  epochSeconds: number;
}): string {
  const safe = (text: string): string => text.replace(/[^\w.-]/g, '-').slice(0, 8);
  return `v-${safe(who)}-${safe(role)}-${random}-${epochSeconds}`.slice(0, 63);
}
