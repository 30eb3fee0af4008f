import { messageOf } from '../../common/index.ts';
import type { UserAdmin } from '../../credentials/index.ts';
import { MongoUserError } from './mongo-user-error.ts';

/** The part of the driver's `Db` that is needed: the database that the users authenticate against. */
export interface MongoUserDatabase {
  command(command: Record<string, unknown>): Promise<Record<string, unknown>>;
}

export interface MongoRole {
  readonly role: string;
  readonly db: string;
}

export interface MongodbUsersOptions {
  /** Of a user who replaces nobody. Default none. */
  readonly roles?: readonly MongoRole[];
}

/** MongoDB's error codes. */
const USER_NOT_FOUND = 11;
const AUTHENTICATION_FAILED = 18;
const USER_EXISTS = 51_003;

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** The driver's error is left out: it may carry the command, and with it the password. */
function failure(what: string, error: unknown): MongoUserError {
  const message = `${what}: ${messageOf(error)}`;
  const code = codeOf(error);
  if (code === AUTHENTICATION_FAILED) return new MongoUserError('login-refused', message);
  // What the server answers has a number; what keeps it from answering has none.
  if (typeof code === 'number') return new MongoUserError('refused', message);
  return new MongoUserError('unreachable', message, { retryable: true });
}

/**
 * The users of a MongoDB database, for `rotateKvUser`. A new user gets the roles of the one it replaces. Connections
 * that are open when their user is dropped are left to the server: it asks again with the next command. All methods
 * reject with a `MongoUserError`.
 */
export function mongodbUsers(database: MongoUserDatabase, options: MongodbUsersOptions = {}): UserAdmin {
  const run = (command: Record<string, unknown>, what: string): Promise<Record<string, unknown>> =>
    database.command(command).catch((error: unknown) => {
      throw failure(what, error);
    });

  const rolesOf = async (username: string): Promise<readonly MongoRole[]> => {
    const { users } = await run({ usersInfo: username }, `Reading the roles of the MongoDB user ${username}`);
    const [user] = Array.isArray(users) ? (users as { readonly roles?: readonly MongoRole[] }[]) : [];
    if (user === undefined) {
      throw new MongoUserError('no-such-user', `There is no MongoDB user ${username} whose roles could be copied`);
    }
    return (user.roles ?? []).map(({ role, db }) => ({ role, db }));
  };

  return {
    async createUser({ username, password }, { previous, signal }) {
      const roles = previous === undefined ? (options.roles ?? []) : await rolesOf(previous);
      signal?.throwIfAborted();
      const fields = { pwd: password.reveal(), roles, mechanisms: ['SCRAM-SHA-256'] };
      const what = `Creating the MongoDB user ${username}`;
      try {
        await database.command({ createUser: username, ...fields });
      } catch (error) {
        if (codeOf(error) !== USER_EXISTS) throw failure(what, error);
        await run({ updateUser: username, ...fields }, what);
      }
    },

    async deleteUser(username, { signal }) {
      signal?.throwIfAborted();
      try {
        await database.command({ dropUser: username });
      } catch (error) {
        if (codeOf(error) !== USER_NOT_FOUND) throw failure(`Dropping the MongoDB user ${username}`, error);
      }
    },
  };
}
