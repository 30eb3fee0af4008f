import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KAFKA_RIGHTS, KAFKA_TOPICS, KV_PATHS } from '@neural-hive/contracts';
import {
  KAFKA_VERSION,
  type KafkaServer,
  kafkaTemplateUser,
  makeTopicsAndRights,
  startKafka,
} from '@neural-hive/real-stack';
import { kafkaScramUsers } from '@neural-hive/security/kafka';
import type { VaultClient } from '@neural-hive/security/vault';
import { USER_ADMIN_PATHS } from '@neural-hive/vault-setup';
import kafkajs from 'kafkajs';
import { rotateKafka } from '../../commands/rotate-kafka.ts';
import type { Home } from '../home.ts';
import { type LoginPath, type RotatorPlace, rotateAsOperator } from './user-rotator.ts';

// It is a CommonJS module whose names Node does not find by itself.
const { Kafka, logLevel } = kafkajs;

export interface MessageBroker {
  readonly version: string;
  /** `host:port` */
  readonly address: string;
  /** Readable by every service. */
  readonly caFile: string;
  /** Makes topics and access, tells OpenBao who may make users, and makes the first user of each service. */
  prepare(vault: VaultClient, place: RotatorPlace): Promise<void>;
  /** Replaces the user that a KV entry names; resolves when every reader has moved and the old one is gone. */
  rotate(path: LoginPath, place: RotatorPlace, onWritten?: () => void): Promise<string>;
  /** Users of services. */
  countUsers(): Promise<number>;
  /** Deletes the users of services, whose readers have ended. */
  deleteUsers(): Promise<void>;
  close(): Promise<void>;
}

/** One machine has few readers. */
const MOST_PARTITIONS = 3;

const FIRST_USERS = [
  { path: KV_PATHS.orchestratorKafka, service: 'orchestrator-dynamic' },
  { path: KV_PATHS.workerKafka, service: 'worker-agents' },
] as const;

/** Starts a Kafka whose users `hive rotate kafka` makes. */
export async function startMessageBroker(options: {
  readonly home: Home;
  /** The folder with the jars. */
  readonly jars: string;
  readonly log: (line: string) => void;
}): Promise<MessageBroker> {
  const { home, jars, log } = options;
  const kafka = await startKafka({ jars, log });
  const { broker, ca, superUser } = kafka;
  const caFile = join(home.run, 'kafka-ca.pem');
  writeFileSync(caFile, ca);
  chmodSync(caFile, 0o644);
  const users = kafkaScramUsers({ brokers: [broker], tls: { ca }, login: () => superUser });
  const ofServices = async (): Promise<readonly string[]> =>
    (await users.list()).filter((name) => name !== superUser.username);
  const rotate = (
    place: RotatorPlace,
    path: LoginPath,
    more: { readonly template?: string; readonly onWritten?: () => void },
  ): Promise<string> =>
    rotateAsOperator(place, { path, adminPath: USER_ADMIN_PATHS.kafka, ...more }, (common, output) =>
      rotateKafka({ ...common, broker: [broker], ca: caFile }, output),
    );
  return {
    version: KAFKA_VERSION,
    address: broker,
    caFile,
    async prepare(vault, place) {
      await makeTopicsAndAccess(kafka);
      const { username, password } = superUser;
      await vault.kv().write(USER_ADMIN_PATHS.kafka, { username, password: password.reveal() });
      for (const { path, service } of FIRST_USERS) await rotate(place, path, { template: kafkaTemplateUser(service) });
    },
    rotate: (path, place, onWritten) => rotate(place, path, onWritten === undefined ? {} : { onWritten }),
    countUsers: async () => (await ofServices()).length,
    async deleteUsers() {
      for (const name of await ofServices()) await users.deleteUser(name, {});
    },
    close: () => kafka.stop(),
  };
}

async function makeTopicsAndAccess({ broker, ca, superUser }: KafkaServer): Promise<void> {
  const { username, password } = superUser;
  const admin = new Kafka({
    brokers: [broker],
    ssl: { ca },
    sasl: { mechanism: 'scram-sha-512', username, password: password.reveal() },
    logLevel: logLevel.NOTHING,
  }).admin();
  await admin.connect();
  try {
    const topics = KAFKA_TOPICS.map((topic) => ({
      ...topic,
      partitions: Math.min(MOST_PARTITIONS, topic.partitions),
    }));
    await makeTopicsAndRights(admin, { topics, rights: KAFKA_RIGHTS });
  } finally {
    await admin.disconnect();
  }
}
