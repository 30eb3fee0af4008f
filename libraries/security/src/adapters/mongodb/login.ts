import { Secret } from '../../common/index.ts';

/** What a client logs in with; for example the value of a `kvSecret` credential with a `parse`. */
export interface MongoLogin {
  readonly username: string;
  readonly password: Secret<string>;
}

/**
 * A login as it is stored in the KV engine, `{ "username": "…", "password": "…" }`.
 * @throws TypeError when one of them is missing; never holds what is stored
 */
export function parseMongoLogin(data: Readonly<Record<string, unknown>>): MongoLogin {
  const { username, password } = data;
  if (typeof username !== 'string' || username === '')
    throw new TypeError('username: must be a text that is not empty');
  if (typeof password !== 'string' || password === '')
    throw new TypeError('password: must be a text that is not empty');
  return { username, password: new Secret(password) };
}
