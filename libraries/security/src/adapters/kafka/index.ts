export { KafkaError, type KafkaErrorCode } from './kafka-error.ts';
export type { RotatingKafkaConfig } from './kafkajs-client.ts';
export { type KafkaLogin, parseKafkaLogin } from './login.ts';
export {
  consumePlatformatic,
  type PlatformaticClient,
  type PlatformaticMessage,
  type PlatformaticSasl,
  type PlatformaticStream,
  rotatingPlatformatic,
} from './platformatic.ts';
export { type RotatingAdmin, rotatingAdmin } from './rotating-admin.ts';
export { RotatingConsumer, type RotatingConsumerOptions, rotatingConsumer } from './rotating-consumer.ts';
export { RotatingProducer, type RotatingProducerOptions, rotatingProducer } from './rotating-producer.ts';
export { type KafkaScramUsers, type KafkaScramUsersOptions, kafkaScramUsers } from './scram-users.ts';
