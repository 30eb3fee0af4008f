import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '@neural-hive/security/common';
import { RotatingCredential } from '@neural-hive/security/credentials';
import {
  type KafkaLogin,
  type KafkaScramUsers,
  kafkaScramUsers,
  type RotatingKafkaConfig,
} from '@neural-hive/security/kafka';
import kafkajs, { type Admin, type Kafka as KafkaClient } from 'kafkajs';
import { type KafkaServer, startKafka } from './start.ts';
import { type KafkaUserRight, kafkaTemplateUser, makeTopicsAndRights } from './topics-and-rights.ts';

// It is a CommonJS module whose names Node does not find by itself.
const { Kafka, logLevel } = kafkajs;

export interface KafkaPlatformOptions {
  readonly topics: readonly { readonly name: string; readonly retentionMs: number }[];
  /** By service. */
  readonly rights: Readonly<Record<string, readonly KafkaUserRight[]>>;
  /** Of each topic. Default 2. */
  readonly partitions?: number;
  /** What the topics take. Default: the broker's own default. */
  readonly maxMessageBytes?: number;
  /** After how long a connection must authenticate again. In milliseconds; default 8 000. */
  readonly maxReauthMs?: number;
}

/** A real broker with the topics of a platform and, for each of its services, users that have the service's rights. */
export class KafkaPlatform {
  readonly server: KafkaServer;
  readonly users: KafkaScramUsers;
  /** Holds the authority of the broker's certificate, in PEM. */
  readonly caFile: string;
  readonly #maxReauthMs: number;
  readonly #folder = mkdtempSync(join(tmpdir(), 'kafka-ca-'));

  private constructor(server: KafkaServer, maxReauthMs: number) {
    this.server = server;
    this.#maxReauthMs = maxReauthMs;
    const { broker, ca, superUser } = server;
    this.users = kafkaScramUsers({ brokers: [broker], tls: { ca }, login: () => superUser });
    this.caFile = join(this.#folder, 'ca.pem');
    writeFileSync(this.caFile, ca);
  }

  static async open(options: KafkaPlatformOptions): Promise<KafkaPlatform> {
    const { topics, rights, partitions = 2, maxMessageBytes, maxReauthMs = 8_000 } = options;
    const platform = new KafkaPlatform(await startKafka({ maxReauthMs, restartable: true }), maxReauthMs);
    try {
      const sized = topics.map((topic) => ({ ...topic, partitions }));
      await platform.administer((admin) => makeTopicsAndRights(admin, { topics: sized, rights, maxMessageBytes }));
      return platform;
    } catch (error) {
      await platform.close();
      throw error;
    }
  }

  /** For a service. Its connections have to authenticate again earlier than by default: the sessions are short. */
  config(overrides: Partial<RotatingKafkaConfig> = {}): RotatingKafkaConfig {
    const { broker, ca } = this.server;
    return {
      brokers: [broker],
      ssl: { ca },
      logLevel: logLevel.NOTHING,
      connectionTimeout: 20_000,
      requestTimeout: 15_000,
      reauthenticationThreshold: this.#maxReauthMs / 2,
      retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 8 },
      ...overrides,
    };
  }

  /** A client that may do everything. */
  superUser(): KafkaClient {
    const { username, password } = this.server.superUser;
    return new Kafka({
      ...this.config({ retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 30 } }),
      sasl: { mechanism: 'scram-sha-512', username, password: password.reveal() },
    });
  }

  async administer<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = this.superUser().admin();
    await admin.connect();
    try {
      return await work(admin);
    } finally {
      await admin.disconnect();
    }
  }

  /** Every generation is another user with the service's rights, deleted when it is revoked. */
  logins(service: string): Promise<RotatingCredential<KafkaLogin>> {
    return RotatingCredential.open<KafkaLogin>({
      drainTimeoutMs: 60_000,
      provider: {
        name: `secret/${service}/kafka`,
        obtain: async () => {
          const password = new Secret(randomBytes(18).toString('base64url'));
          const value = { username: `${service}-${randomBytes(6).toString('hex')}`, password };
          await this.users.createUser(value, { previous: kafkaTemplateUser(service) });
          const revoke = () => this.users.deleteUser(value.username, {});
          return { value, issuedAtMs: Date.now(), expiresAtMs: Number.POSITIVE_INFINITY, revoke };
        },
      },
    });
  }

  async close(): Promise<void> {
    await this.server.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
