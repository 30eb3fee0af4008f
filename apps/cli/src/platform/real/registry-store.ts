import { chmodSync, copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startRedis } from '@neural-hive/real-stack';
import { createClient } from '@redis/client';
import type { Home } from '../home.ts';

export interface RegistryStore {
  readonly version: string;
  readonly host: string;
  readonly port: number;
  /** Readable by every service. */
  readonly caFile: string;
  /** What OpenBao needs to make users. */
  readonly setup: { host: string; port: number; ca: string; username: string; password: string };
  /** Users that were made here and not dropped. */
  countUsers(): Promise<number>;
  close(): Promise<void>;
}

/** Off, and the administrator: there from the start. */
const LASTING_USERS = ['default', 'admin'];

/** Starts a Redis whose users OpenBao makes. */
export async function startRegistryStore(options: {
  readonly home: Home;
  readonly binary: string;
  readonly log: (line: string) => void;
}): Promise<RegistryStore> {
  const { home, binary, log } = options;
  const redis = await startRedis({ binary, log });
  const { host, port, admin, version } = redis;
  const username = admin.username;
  const password = admin.password.reveal();
  const ca = readFileSync(redis.caFile, 'utf8');
  const caFile = join(home.run, 'redis-ca.pem');
  copyFileSync(redis.caFile, caFile);
  chmodSync(caFile, 0o644);
  return {
    ...{ version, host, port, caFile },
    setup: { host, port, ca, username, password },
    async countUsers() {
      const client = createClient({ socket: { host, port, tls: true, ca }, username, password });
      client.on('error', () => undefined);
      await client.connect();
      try {
        const users = await client.aclUsers();
        return users.filter((user) => !LASTING_USERS.includes(String(user))).length;
      } finally {
        client.destroy();
      }
    },
    close: () => redis.stop(),
  };
}
