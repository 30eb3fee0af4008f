import { Secret } from '../common/index.ts';

/** A login that is kept in the KV engine; for example the value of a `kvSecret` credential whose `parse` is `parseLogin`. */
export interface StoredLogin {
  readonly username: string;
  readonly password: Secret<string>;
}

/**
 * A login as it is stored, `{ "username": "…", "password": "…" }`; what else the entry holds is left out.
 * @throws TypeError that names what is missing; never holds what is stored
 */
export function parseLogin(data: Readonly<Record<string, unknown>>): StoredLogin {
  const text = (name: string): string => {
    const value = data[name];
    if (typeof value !== 'string' || value === '') throw new TypeError(`${name}: the KV entry must have it as a text`);
    return value;
  };
  return { username: text('username'), password: new Secret(text('password')) };
}
