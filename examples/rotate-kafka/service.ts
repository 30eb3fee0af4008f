import { kvSecret, RotatingCredential } from '@neural-hive/security/credentials';
import {
  parseKafkaLogin,
  type RotatingKafkaConfig,
  rotatingConsumer,
  rotatingProducer,
} from '@neural-hive/security/kafka';
import type { VaultClient } from '@neural-hive/security/vault';

export async function openService(vault: VaultClient, kafka: RotatingKafkaConfig, onOrder: (order: string) => void) {
  const login = kvSecret(vault, 'orders/kafka', { parse: parseKafkaLogin, consumer: 'orders-1' });
  const credential = await RotatingCredential.open({ provider: login });
  const producer = await rotatingProducer(credential, kafka);
  const consumer = await rotatingConsumer(credential, kafka, {
    consumer: { groupId: 'group-orders', heartbeatInterval: 1_000 },
    topics: ['topic-orders'],
    run: { eachMessage: async ({ message }) => onOrder(String(message.value)) },
  });
  return { credential, producer, consumer };
}
