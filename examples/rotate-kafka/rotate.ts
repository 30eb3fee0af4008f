import { type RotateKvUserOptions, rotateKvUser } from '@neural-hive/security/credentials';
import { type KafkaScramUsersOptions, kafkaScramUsers } from '@neural-hive/security/kafka';
import type { VaultClient } from '@neural-hive/security/vault';

export function rotate(vault: VaultClient, kafka: KafkaScramUsersOptions, options?: Partial<RotateKvUserOptions>) {
  return rotateKvUser({ client: vault, path: 'orders/kafka', users: kafkaScramUsers(kafka), ...options });
}
