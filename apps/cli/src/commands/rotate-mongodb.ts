import { type MongoRole, MongoUserError, mongodbUsers, parseMongoLogin } from '@neural-hive/security/mongodb';
import { MongoClient, MongoParseError } from 'mongodb';
import type { Output } from '../output.ts';
import { problemsOf, type RotateOptions, readGiven, refuse, rotate } from './rotate.ts';

export interface RotateMongodbOptions extends RotateOptions {
  /** `mongodb://` or `mongodb+srv://`, without a login. */
  readonly uri?: string;
  readonly ca?: string;
  /** The database that the users belong to. */
  readonly database: string;
  /** `role@database` for a first user without a template. */
  readonly role: readonly string[];
}

/** For a server that is not there, or has no primary. */
const SELECTION_LIMIT_MS = 10_000;

/** Replaces the MongoDB user that a KV entry names by another. */
export async function rotateMongodb(options: RotateMongodbOptions, output: Output): Promise<number> {
  const { uri = '', ca, database, mount, adminPath = '' } = options;
  refuse([...problemsOf(options), ...uriProblems(uri), ...roleProblems(options)]);
  if (ca !== undefined) readGiven('--ca', ca);
  return rotate(options, output, {
    openUsers: async (vault) => {
      const { username, password } = parseMongoLogin((await vault.kv(mount).read(adminPath)).data);
      const client = new MongoClient(uri, {
        auth: { username, password: password.reveal() },
        // The password of the new user is sent as it is.
        tls: true,
        ...(ca === undefined ? {} : { tlsCAFile: ca }),
        serverSelectionTimeoutMS: SELECTION_LIMIT_MS,
      });
      return {
        users: mongodbUsers(client.db(database), { roles: options.role.map(roleOf) }),
        close: () => client.close(),
      };
    },
    kindOf(error) {
      if (error instanceof MongoParseError) return 'badInput';
      if (!(error instanceof MongoUserError)) return undefined;
      if (error.code === 'no-such-user') return 'badInput';
      return error.code === 'unreachable' ? 'environment' : 'refused';
    },
  });
}

function uriProblems(uri: string): string[] {
  if (uri === '') return ['--uri is needed: mongodb://HOST:PORT, without a login'];
  const [, authority] = /^mongodb(?:\+srv)?:\/\/([^/?]+)/.exec(uri) ?? [];
  // Not shown: it may hold a password.
  if (authority === undefined) return ['--uri: must begin with mongodb://HOST or mongodb+srv://HOST'];
  const problems: string[] = [];
  if (authority.includes('@'))
    problems.push('--uri: must have no login, everybody could read it: put it at --admin-path');
  if (/[?&](tls|ssl)=false\b/i.test(uri)) problems.push('--uri: TLS cannot be switched off, passwords are sent');
  return problems;
}

function roleProblems({ role }: RotateMongodbOptions): string[] {
  return role.filter((text) => !/^[^@]+@[^@]+$/.test(text)).map((text) => `--role ${text}: not ROLE@DATABASE`);
}

function roleOf(text: string): MongoRole {
  const [role = '', db = ''] = text.split('@');
  return { role, db };
}
