import { randomBytes } from 'node:crypto';
import { MongoClient } from 'mongodb';
import type { MongoLogin } from '../adapters/mongodb/index.ts';
import { Secret } from '../common/index.ts';
import type { CredentialProvider } from '../credentials/index.ts';
import { MongoWireServer } from './mongo-wire-server.ts';

/** A server on which users can be made and dropped. */
export interface MongoTarget extends AsyncDisposable {
  /** Without a login. */
  readonly uri: string;
  createUser(login: MongoLogin): Promise<void>;
  dropUser(username: string): Promise<void>;
}

/** Every generation is another user, dropped when the generation is revoked. */
export function userPerGeneration(target: MongoTarget): CredentialProvider<MongoLogin> {
  return {
    name: 'mongodb/test',
    async obtain() {
      const username = `u-${randomBytes(6).toString('hex')}`;
      const login = { username, password: new Secret(randomBytes(12).toString('hex')) };
      await target.createUser(login);
      const revoke = () => target.dropUser(username);
      return { value: login, issuedAtMs: Date.now(), expiresAtMs: Number.POSITIVE_INFINITY, revoke };
    },
  };
}

/** With `server`, to look at what arrived there. */
export async function scriptedTarget(): Promise<MongoTarget & { readonly server: MongoWireServer }> {
  const server = await MongoWireServer.open();
  return {
    server,
    uri: server.uri,
    createUser: async ({ username, password }) => server.createUser(username, password.reveal()),
    dropUser: async (username) => server.dropUser(username),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** A server that knows `createUser` and `dropUser`, reached by a user who may use them. */
export async function commandTarget(uri: string, { username, password }: MongoLogin): Promise<MongoTarget> {
  const client = new MongoClient(uri, { auth: { username, password: password.reveal() } });
  const admin = client.db('admin');
  await admin.command({ ping: 1 });
  return {
    uri,
    async createUser(login) {
      await admin.command({ createUser: login.username, pwd: login.password.reveal(), roles: [] });
    },
    async dropUser(name) {
      await admin.command({ dropUser: name });
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}
