import { chmodSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { KV_PATHS } from '@neural-hive/contracts';
import { FERRETDB_VERSION, startFerretDb } from '@neural-hive/real-stack';
import type { VaultClient } from '@neural-hive/security/vault';
import { USER_ADMIN_PATHS } from '@neural-hive/vault-setup';
import { type Db, MongoClient } from 'mongodb';
import { rotateMongodb } from '../../commands/rotate-mongodb.ts';
import type { Home } from '../home.ts';
import { type RotatorPlace, rotateAsOperator } from './user-rotator.ts';

export interface PlanStore {
  readonly version: string;
  /** `mongodb://host:port`, without a login and without options. */
  readonly uri: string;
  /** Readable by every service. */
  readonly caFile: string;
  /** Tells OpenBao who may make users, and makes the orchestrator's first one. */
  prepare(vault: VaultClient, place: RotatorPlace): Promise<void>;
  /** Replaces the orchestrator's user; resolves when it has moved and the old one is gone. */
  rotate(place: RotatorPlace, onWritten?: () => void): Promise<string>;
  /** Users of services. */
  countUsers(): Promise<number>;
  /** Drops the users of services, whose readers have ended. */
  deleteUsers(): Promise<void>;
  close(): Promise<void>;
}

const DATABASE = 'admin';

/** Starts a FerretDB whose users `hive rotate mongodb` makes. */
export async function startPlanStore(options: {
  readonly home: Home;
  readonly binary: string;
  readonly log: (line: string) => void;
}): Promise<PlanStore> {
  const { home, binary, log } = options;
  const ferretDb = await startFerretDb({ binary, log });
  const { username } = ferretDb;
  const password = ferretDb.password.reveal();
  const caFile = join(home.run, 'mongodb-ca.pem');
  copyFileSync(ferretDb.caFile, caFile);
  chmodSync(caFile, 0o644);
  const uri = ferretDb.uri.replace(/\?.*$/, '');
  const asAdmin = async <T>(work: (database: Db) => Promise<T>): Promise<T> => {
    const client = new MongoClient(uri, { tls: true, tlsCAFile: caFile, auth: { username, password } });
    try {
      return await work(client.db(DATABASE));
    } finally {
      await client.close();
    }
  };
  const ofServices = (): Promise<readonly string[]> =>
    asAdmin(async (database) => {
      const { users } = (await database.command({ usersInfo: 1 })) as unknown as { users: readonly { user: string }[] };
      return users.map(({ user }) => user).filter((name) => name !== username);
    });
  const rotate = (
    place: RotatorPlace,
    more: { readonly template?: string; readonly onWritten?: () => void },
  ): Promise<string> =>
    rotateAsOperator(
      place,
      { path: KV_PATHS.orchestratorMongodb, adminPath: USER_ADMIN_PATHS.mongodb, ...more },
      (common, output) => rotateMongodb({ ...common, uri, ca: caFile, database: DATABASE, role: [] }, output),
    );
  return {
    version: FERRETDB_VERSION,
    uri,
    caFile,
    async prepare(vault, place) {
      await vault.kv().write(USER_ADMIN_PATHS.mongodb, { username, password });
      await rotate(place, { template: username });
    },
    rotate: (place, onWritten) => rotate(place, onWritten === undefined ? {} : { onWritten }),
    countUsers: async () => (await ofServices()).length,
    deleteUsers: async () => {
      for (const name of await ofServices()) await asAdmin((database) => database.command({ dropUser: name }));
    },
    close: () => ferretDb.stop(),
  };
}
