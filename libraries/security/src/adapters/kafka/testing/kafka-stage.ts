import { randomBytes } from 'node:crypto';
import { type KafkaServer, startKafka } from '@neural-hive/real-stack';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { Secret } from '../../../common/index.ts';
import { type CredentialProvider, RotatingCredential } from '../../../credentials/index.ts';
import type { RotatingKafkaConfig } from '../kafkajs-client.ts';
import type { KafkaLogin } from '../login.ts';
import { type KafkaScramUsers, kafkaScramUsers } from '../scram-users.ts';

/** Has the ACLs that every user of the tests gets; nobody logs in as it. */
const TEMPLATE = 'template';
export const GROUP_PREFIX = 'group-';
export const TOPIC_PREFIX = 'topic-';

/** A real broker, and logins for it that are made and deleted as a credential rotates. */
export class KafkaStage {
  readonly server: KafkaServer;
  readonly users: KafkaScramUsers;

  readonly #maxReauthMs: number;

  private constructor(server: KafkaServer, users: KafkaScramUsers, maxReauthMs: number) {
    this.#maxReauthMs = maxReauthMs;
    this.server = server;
    this.users = users;
  }

  static async open(maxReauthMs: number): Promise<KafkaStage> {
    const server = await startKafka({ maxReauthMs });
    const { broker, ca, superUser } = server;
    const users = kafkaScramUsers({ brokers: [broker], tls: { ca }, login: () => superUser });
    const stage = new KafkaStage(server, users, maxReauthMs);
    await stage.asSuperUser(async (admin) => {
      const everything = { host: '*', operation: AclOperationTypes.ALL, permissionType: AclPermissionTypes.ALLOW };
      const rule = { principal: `User:${TEMPLATE}`, resourcePatternType: ResourcePatternTypes.PREFIXED, ...everything };
      const topics = { ...rule, resourceType: AclResourceTypes.TOPIC, resourceName: TOPIC_PREFIX };
      const groups = { ...rule, resourceType: AclResourceTypes.GROUP, resourceName: GROUP_PREFIX };
      await admin.createAcls({ acl: [topics, groups] });
    });
    return stage;
  }

  /** For kafkajs, quiet. It has to authenticate again earlier than by default: the sessions of the tests are short. */
  config(overrides: Partial<RotatingKafkaConfig> = {}): RotatingKafkaConfig {
    const { broker, ca } = this.server;
    const patience = { connectionTimeout: 20_000, reauthenticationThreshold: this.#maxReauthMs / 2 };
    return { brokers: [broker], ssl: { ca }, logLevel: logLevel.NOTHING, ...patience, ...overrides };
  }

  /** A kafkajs client with a login of its own, for what the adapters are compared with. */
  plain(sasl: { username: string; password: string }, overrides: Partial<RotatingKafkaConfig> = {}): Kafka {
    return new Kafka({ ...this.config(overrides), sasl: Object.assign(sasl, { mechanism: 'scram-sha-512' } as const) });
  }

  async asSuperUser<T>(work: (admin: ReturnType<Kafka['admin']>) => Promise<T>): Promise<T> {
    const { username, password } = this.server.superUser;
    const admin = this.plain({ username, password: password.reveal() }).admin();
    await admin.connect();
    try {
      return await work(admin);
    } finally {
      await admin.disconnect();
    }
  }

  /** A topic that every user of the tests may use. */
  async topic(numPartitions: number): Promise<string> {
    const topic = `${TOPIC_PREFIX}${randomBytes(4).toString('hex')}`;
    await this.asSuperUser((admin) => admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: true }));
    return topic;
  }

  async createUser(): Promise<KafkaLogin> {
    const password = new Secret(randomBytes(18).toString('base64url'));
    const login = { username: `user-${randomBytes(6).toString('hex')}`, password };
    await this.users.createUser(login, { previous: TEMPLATE });
    return login;
  }

  /** Every generation is another user, deleted when it is revoked. */
  provider(): CredentialProvider<KafkaLogin> {
    return {
      name: 'kafka',
      obtain: async () => {
        const value = await this.createUser();
        const revoke = () => this.users.deleteUser(value.username, {});
        return { value, issuedAtMs: Date.now(), expiresAtMs: Number.POSITIVE_INFINITY, revoke };
      },
    };
  }

  credential(drainTimeoutMs = 30_000): Promise<RotatingCredential<KafkaLogin>> {
    return RotatingCredential.open({ provider: this.provider(), drainTimeoutMs });
  }

  /** The users of the tests that the broker knows. */
  async userNames(): Promise<string[]> {
    return (await this.users.list()).filter((name) => name.startsWith('user-'));
  }
}
