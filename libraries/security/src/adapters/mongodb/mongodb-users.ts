import { messageOf } from '../../common/index.ts';
import type { UserAdmin } from '../../credentials/index.ts';

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
const USER_EXISTS = 51_003;

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/**
 * The users of a MongoDB database, for `rotateKvUser`. A new user gets the roles of the one it replaces. Connections
 * that are open when their user is dropped are left to the server: it asks again with the next command.
 */
export function mongodbUsers(database: MongoUserDatabase, options: MongodbUsersOptions = {}): UserAdmin {
  const rolesOf = async (username: string): Promise<readonly MongoRole[]> => {
    const { users } = await database.command({ usersInfo: username });
    const [user] = Array.isArray(users) ? (users as { readonly roles?: readonly MongoRole[] }[]) : [];
    if (user === undefined) throw new TypeError(`There is no MongoDB user ${username} whose roles could be copied`);
    return (user.roles ?? []).map(({ role, db }) => ({ role, db }));
  };

  return {
    async createUser({ username, password }, { previous, signal }) {
      const roles = previous === undefined ? (options.roles ?? []) : await rolesOf(previous);
      signal?.throwIfAborted();
      const fields = { pwd: password.reveal(), roles, mechanisms: ['SCRAM-SHA-256'] };
      try {
        await database.command({ createUser: username, ...fields });
      } catch (error) {
        // The driver's error may carry the command, and with it the password.
        if (codeOf(error) !== USER_EXISTS)
          throw new Error(`Creating the MongoDB user ${username}: ${messageOf(error)}`);
        await database.command({ updateUser: username, ...fields });
      }
    },

    async deleteUser(username, { signal }) {
      signal?.throwIfAborted();
      try {
        await database.command({ dropUser: username });
      } catch (error) {
        if (codeOf(error) !== USER_NOT_FOUND) throw error;
      }
    },
  };
}
