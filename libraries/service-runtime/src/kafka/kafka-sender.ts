import { messageOf, NeuralHiveError } from '@neural-hive/security/common';
import type { RotatingProducer } from '@neural-hive/security/kafka';

export type KafkaSendErrorCode =
  /** Larger than the limit, or than the broker takes: the same message never fits. */
  | 'too-large'
  /** Not acknowledged; it may lie there all the same. */
  | 'not-acknowledged';

/** A message could not be laid into a topic. Only `not-acknowledged` is worth another try. */
export class KafkaSendError extends NeuralHiveError<KafkaSendErrorCode> {}

/** Every replica that has to has it. */
const ALL = -1;

/**
 * Sends JSON messages one by one, each acknowledged by every replica. kafkajs's idempotent mode is not used: it takes the
 * sequence number of a send whose answer was lost for the next one, which the broker then drops as a repetition. What is
 * sent twice here is told apart by its reader.
 */
export class KafkaSender {
  readonly #producer: Pick<RotatingProducer, 'send'>;
  readonly #maxMessageBytes: number;

  /** `maxMessageBytes`: of a value. */
  constructor(producer: Pick<RotatingProducer, 'send'>, { maxMessageBytes }: { readonly maxMessageBytes: number }) {
    this.#producer = producer;
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Resolves when the message is durable. @throws KafkaSendError */
  async send(
    topic: string,
    key: string | null,
    message: object,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const value = Buffer.from(JSON.stringify(message), 'utf8');
    if (value.length > this.#maxMessageBytes) {
      const rule = `${value.length} bytes are more than the ${this.#maxMessageBytes} of a message`;
      throw new KafkaSendError('too-large', `Sending to ${topic}: ${rule}`);
    }
    try {
      await this.#producer.send({ topic, acks: ALL, messages: [{ key, value, headers: { ...headers } }] });
    } catch (error) {
      const tooLarge = (error as { type?: unknown }).type === 'MESSAGE_TOO_LARGE';
      const code = tooLarge ? 'too-large' : 'not-acknowledged';
      const message = `Sending to ${topic}: ${messageOf(error)}`;
      throw new KafkaSendError(code, message, { cause: error, retryable: !tooLarge });
    }
  }
}
