export { KafkaError, type KafkaErrorCode } from './kafka-error.ts';
export type { KafkaLogin } from './login.ts';
export { type KafkaScramUsers, type KafkaScramUsersOptions, kafkaScramUsers } from './scram-users.ts';
