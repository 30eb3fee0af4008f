import { chmodSync, copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startRedis } from '@neural-hive/real-stack';
import { createClient } from '@redis/client';
import type { Home } from '../home.ts';
import type { GivenRedis } from './given-servers.ts';

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

/** A Redis whose users OpenBao makes: one that is started, or one that runs. */
export async function openRegistryStore(options: {
  readonly home: Home;
  readonly redis: string | GivenRedis;
  readonly log: (line: string) => void;
}): Promise<RegistryStore> {
  const { home, log } = options;
  const started = typeof options.redis === 'string' ? await startRedis({ binary: options.redis, log }) : undefined;
  const redis = started ?? (options.redis as GivenRedis);
  const { host, port, admin } = redis;
  const username = admin.username;
  const password = admin.password.reveal();
  const ca = readFileSync(redis.caFile, 'utf8');
  const caFile = join(home.run, 'redis-ca.pem');
  copyFileSync(redis.caFile, caFile);
  chmodSync(caFile, 0o644);
  const asAdmin = async <T>(work: (client: ReturnType<typeof createClient>) => Promise<T>): Promise<T> => {
    const client = createClient({ socket: { host, port, tls: true, ca }, username, password });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await work(client as ReturnType<typeof createClient>);
    } finally {
      client.destroy();
    }
  };
  const version = /^redis_version:(\S+)/m.exec(await asAdmin((client) => client.info('server')))?.[1] ?? '';
  return {
    ...{ version, host, port, caFile },
    setup: { host, port, ca, username, password },
    async countUsers() {
      const users = await asAdmin((client) => client.aclUsers());
      return users.filter((user) => !['default', username].includes(String(user))).length;
    },
    close: async () => started?.stop(),
  };
}
