import { NeuralHiveError } from '../../common/index.ts';

export type KafkaErrorCode =
  /** No broker could be reached over TLS. */
  | 'unreachable'
  /** The broker does not accept the login. */
  | 'login-refused'
  /** The broker refused the request; the message has its reason. */
  | 'refused'
  /** The answer is none of the Kafka protocol. */
  | 'bad-response';

/** Talking to a Kafka broker failed. Never holds a password. */
export class KafkaError extends NeuralHiveError<KafkaErrorCode> {}
