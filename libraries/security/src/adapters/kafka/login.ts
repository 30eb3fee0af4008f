import type { Secret } from '../../common/index.ts';

/** What a Kafka connection authenticates with; a KV secret of these two fields, see `parseKafkaLogin`. */
export interface KafkaLogin {
  readonly username: string;
  readonly password: Secret<string>;
}
