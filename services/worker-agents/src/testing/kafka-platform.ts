import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KAFKA_RIGHTS, KAFKA_TOPICS } from '@neural-hive/contracts';
import { type KafkaServer, startKafka } from '@neural-hive/real-stack';
import { Secret, silentLogger } from '@neural-hive/security/common';
import { RotatingCredential } from '@neural-hive/security/credentials';
import {
  type KafkaLogin,
  type KafkaScramUsers,
  kafkaScramUsers,
  type RotatingKafkaConfig,
} from '@neural-hive/security/kafka';
import { kafkaClientConfig } from '@neural-hive/service-runtime';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  type Admin,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { vi } from 'vitest';

type Service = keyof typeof KAFKA_RIGHTS;

/** Shorter than the tests, so that every connection that lives on has authenticated again. */
const MAX_REAUTH_MS = 8_000;

/** A real broker with the platform's topics and, for each service, a user that has the service's rights. */
export class KafkaPlatform {
  readonly server: KafkaServer;
  readonly users: KafkaScramUsers;
  readonly #folder = mkdtempSync(join(tmpdir(), 'kafka-ca-'));

  private constructor(server: KafkaServer) {
    this.server = server;
    const { broker, ca, superUser } = server;
    this.users = kafkaScramUsers({ brokers: [broker], tls: { ca }, login: () => superUser });
    writeFileSync(join(this.#folder, 'ca.pem'), ca);
  }

  /** `maxMessageBytes`: what the topics take. Default: the broker's own default. */
  static async open({ maxMessageBytes }: { readonly maxMessageBytes?: number } = {}): Promise<KafkaPlatform> {
    const platform = new KafkaPlatform(await startKafka({ maxReauthMs: MAX_REAUTH_MS, restartable: true }));
    const large = maxMessageBytes === undefined ? [] : [{ name: 'max.message.bytes', value: String(maxMessageBytes) }];
    await platform.administer(async (admin) => {
      const topics = KAFKA_TOPICS.map(({ name, retentionMs }) => ({
        topic: name,
        numPartitions: 2,
        configEntries: [{ name: 'retention.ms', value: String(retentionMs) }, ...large],
      }));
      await admin.createTopics({ topics, waitForLeaders: true });
      const acl = Object.entries(KAFKA_RIGHTS).flatMap(([service, rights]) =>
        rights.map(({ resource, name, operation }) => ({
          principal: `User:${templateOf(service as Service)}`,
          host: '*',
          permissionType: AclPermissionTypes.ALLOW,
          operation: AclOperationTypes[operation],
          resourceType: resource === 'topic' ? AclResourceTypes.TOPIC : AclResourceTypes.GROUP,
          resourceName: name,
          resourcePatternType: ResourcePatternTypes.LITERAL,
        })),
      );
      await admin.createAcls({ acl });
      // What the controller has taken reaches the broker a moment later, and users copy what the broker knows.
      const every = {
        resourceType: AclResourceTypes.ANY,
        resourcePatternType: ResourcePatternTypes.ANY,
        operation: AclOperationTypes.ANY,
        permissionType: AclPermissionTypes.ANY,
      };
      const known = async () =>
        (await admin.describeAcls(every)).resources.reduce((sum, { acls }) => sum + acls.length, 0);
      await vi.waitUntil(async () => (await known()) === acl.length, { timeout: 60_000 });
    });
    return platform;
  }

  /** For the services, as they make it. */
  config(overrides: Partial<RotatingKafkaConfig> = {}): RotatingKafkaConfig {
    const settings = { brokers: [this.server.broker], caFile: join(this.#folder, 'ca.pem') };
    const base = kafkaClientConfig(settings, { clientId: 'test', logger: silentLogger });
    // The sessions of the tests are short.
    return { ...base, connectionTimeout: 20_000, reauthenticationThreshold: MAX_REAUTH_MS / 2, ...overrides };
  }

  /** A client that may do everything. */
  superUser(): Kafka {
    const { broker, ca, superUser } = this.server;
    const { username, password } = superUser;
    return new Kafka({
      brokers: [broker],
      ssl: { ca },
      logLevel: logLevel.NOTHING,
      connectionTimeout: 20_000,
      reauthenticationThreshold: MAX_REAUTH_MS / 2,
      retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 30 },
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
  logins(service: Service): Promise<RotatingCredential<KafkaLogin>> {
    return RotatingCredential.open<KafkaLogin>({
      drainTimeoutMs: 60_000,
      provider: {
        name: `secret/${service}/kafka`,
        obtain: async () => {
          const password = new Secret(randomBytes(18).toString('base64url'));
          const value = { username: `${service}-${randomBytes(6).toString('hex')}`, password };
          await this.users.createUser(value, { previous: templateOf(service) });
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

/** Has the rights; nobody logs in as it. */
function templateOf(service: Service): string {
  return `template-${service}`;
}
