import { readFileSync } from 'node:fs';
import { DATABASE_ROLES } from '@neural-hive/contracts';
import { type OpenBaoServer, type RedisServer, startOpenBao, startRedis } from '@neural-hive/real-stack';
import { databaseCredentials, RotatingCredential } from '@neural-hive/security/credentials';
import type { RedisLogin } from '@neural-hive/security/redis';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { createLogger, type Logger } from '@neural-hive/service-runtime';
import { applyVaultSetup, PRODUCTION_LIFETIMES, platformSetup } from '@neural-hive/vault-setup';
import { createClient } from '@redis/client';
import { probeRedis, RedisLink, type RedisPlace } from '../adapters/redis/redis-link.ts';
import { RedisStore } from '../adapters/redis/redis-store.ts';

/** One replica's store with a login of its own. */
export interface StageReplica {
  readonly store: RedisStore;
  readonly login: RotatingCredential<RedisLogin>;
  close(): Promise<void>;
}

/** A real Redis, and a real OpenBao with the platform's own setup that leases logins to it. */
export class RedisStage {
  readonly redis: RedisServer;
  readonly bao: OpenBaoServer;
  readonly place: RedisPlace;
  readonly vault: VaultClient;
  readonly admin: ReturnType<typeof adminOf>;
  readonly lines: string[] = [];
  readonly #log: Logger;
  readonly #replicas = new Set<StageReplica>();

  private constructor(redis: RedisServer, bao: OpenBaoServer, vault: VaultClient) {
    this.redis = redis;
    this.bao = bao;
    this.vault = vault;
    this.place = { host: redis.host, port: redis.port, ca: readFileSync(redis.caFile, 'utf8') };
    this.admin = adminOf(redis, this.place);
    this.#log = createLogger({ name: 'test', stream: { write: (line) => void this.lines.push(line) } });
  }

  /** `jwtKeys`: PEM of the keys whose JWT-SVIDs log in to OpenBao. */
  static async open({ jwtKeys }: { readonly jwtKeys?: readonly string[] } = {}): Promise<RedisStage> {
    const [redis, bao] = await Promise.all([startRedis(), startOpenBao({ tls: true })]);
    const auth = tokenAuth({ token: bao.rootToken });
    const vault = await VaultClient.open({ address: bao.address, ca: { file: bao.caFile }, auth });
    const stage = new RedisStage(redis, bao, vault);
    const { host, port, ca } = stage.place;
    const { username, password } = redis.admin;
    await applyVaultSetup(
      vault,
      platformSetup({
        lifetimes: PRODUCTION_LIFETIMES,
        ...(jwtKeys !== undefined && { jwt: { publicKeys: [...jwtKeys] } }),
        redis: { host, port, ...(ca !== undefined && { ca }), username, password: password.reveal() },
      }),
    );
    await stage.admin.connect();
    return stage;
  }

  async replica(options: { readonly keptChanges?: number } = {}): Promise<StageReplica> {
    const login = await RotatingCredential.open<RedisLogin>({
      provider: databaseCredentials(this.vault, DATABASE_ROLES.registryRedis),
      probe: ({ value }) => probeRedis(this.place, value),
    });
    const link = await RedisLink.open(this.place, login, { log: this.#log });
    const store = await RedisStore.open({ link, ...options });
    const replica: StageReplica = {
      store,
      login,
      close: async () => {
        if (!this.#replicas.delete(replica)) return;
        link.destroy();
        await store.close();
        await login.close();
      },
    };
    this.#replicas.add(replica);
    return replica;
  }

  /** Replicas are closed and their agents forgotten. */
  async reset(): Promise<void> {
    for (const replica of [...this.#replicas]) await replica.close();
    await this.admin.flushAll();
  }

  async close(): Promise<void> {
    await this.reset();
    await this.vault.close();
    this.admin.destroy();
    await Promise.all([this.bao.stop(), this.redis.stop()]);
  }
}

function adminOf({ admin }: RedisServer, { host, port, ca }: RedisPlace) {
  const client = createClient({
    socket: { host, port, tls: true, ...(ca !== undefined && { ca }) },
    username: admin.username,
    password: admin.password.reveal(),
  });
  return client.on('error', () => undefined);
}
