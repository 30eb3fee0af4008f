import type { Producer, ProducerBatch, ProducerConfig, ProducerRecord, RecordMetadata } from 'kafkajs';
import { type RotatingCredential, RotatingResource, type RotatingResourceOptions } from '../../credentials/index.ts';
import { type KafkaClient, kafkaClients, type RotatingKafkaConfig } from './kafkajs-client.ts';
import type { KafkaLogin } from './login.ts';

export interface RotatingProducerOptions extends RotatingResourceOptions {
  /** For kafkajs. A `transactionalId` is refused: the next generation's producer would fence this one's transaction. */
  readonly producer?: Omit<ProducerConfig, 'transactionalId'>;
}

/**
 * A kafkajs producer that follows a rotating credential: a send ends on the connection it began on, and the old
 * producer is disconnected when its last send is acknowledged. Whoever awaits a send before the next keeps the order.
 */
export class RotatingProducer implements AsyncDisposable {
  readonly #resource: RotatingResource<KafkaLogin, KafkaClient<Producer>>;

  private constructor(resource: RotatingResource<KafkaLogin, KafkaClient<Producer>>) {
    this.#resource = resource;
  }

  /** Resolves when the first producer is authenticated. */
  static async open(
    credential: RotatingCredential<KafkaLogin>,
    config: RotatingKafkaConfig,
    options: RotatingProducerOptions = {},
  ): Promise<RotatingProducer> {
    const { producer = {}, ...rest } = options;
    if ('transactionalId' in producer) throw new TypeError('producer.transactionalId: cannot be shared by generations');
    const make = kafkaClients(
      config,
      (kafka) => kafka.producer(producer),
      (client) => client.connect(),
    );
    return new RotatingProducer(await RotatingResource.open(credential, make, rest));
  }

  /** The generation that new sends use. */
  get generation(): number {
    return this.#resource.generation;
  }

  send(record: ProducerRecord): Promise<RecordMetadata[]> {
    return this.#resource.use(({ client }) => client.send(record));
  }

  sendBatch(batch: ProducerBatch): Promise<RecordMetadata[]> {
    return this.#resource.use(({ client }) => client.sendBatch(batch));
  }

  /** Sends that are under way, by generation. */
  uses(): ReadonlyMap<number, number> {
    return this.#resource.uses();
  }

  /** Lets the sends under way end. Idempotent. */
  close(): Promise<void> {
    return this.#resource.close();
  }

  /** Ends the connections now. Idempotent. */
  destroy(): Promise<void> {
    return this.#resource.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Opens a kafkajs producer whose logins come from `credential`. */
export function rotatingProducer(
  credential: RotatingCredential<KafkaLogin>,
  config: RotatingKafkaConfig,
  options?: RotatingProducerOptions,
): Promise<RotatingProducer> {
  return RotatingProducer.open(credential, config, options);
}
