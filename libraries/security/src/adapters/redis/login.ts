import type { Secret } from '../../common/index.ts';

/** What a Redis connection logs in with: an ACL user. The value of a `databaseCredentials` credential. */
export interface RedisLogin {
  readonly username: string;
  readonly password: Secret<string>;
}
