import type { Secret } from '../common/index.ts';

/** Makes and deletes the users of a server whose passwords are kept in KV. */
export interface UserAdmin {
  /**
   * Makes a user that may do what `previous` may; resolves once the server lets it in. Called again for a user that
   * exists, it sets its password.
   */
  createUser(
    login: { readonly username: string; readonly password: Secret<string> },
    options: { readonly previous?: string | undefined; readonly signal?: AbortSignal | undefined },
  ): Promise<void>;
  /** Resolves also when there is no such user. */
  deleteUser(username: string, options: { readonly signal?: AbortSignal | undefined }): Promise<void>;
}
