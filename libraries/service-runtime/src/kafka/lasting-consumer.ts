import { fullJitterMs, type Logger, messageOf, sleep } from '@neural-hive/security/common';
import type { RotatingCredential } from '@neural-hive/security/credentials';
import {
  type KafkaLogin,
  type RotatingConsumer,
  type RotatingConsumerOptions,
  type RotatingKafkaConfig,
  rotatingConsumer,
} from '@neural-hive/security/kafka';

export interface LastingConsumerOptions extends Omit<RotatingConsumerOptions, 'onCrash'> {
  readonly logger: Logger;
  /** kafkajs gave up and the consumer begins again. */
  readonly onRestart?: () => void;
}

const BACKOFF = { baseMs: 500, capMs: 10_000 } as const;

/** A rotating consumer that begins again when kafkajs gives up, as it does when the broker refuses it for a while. */
export class LastingConsumer {
  readonly #credential: RotatingCredential<KafkaLogin>;
  readonly #config: RotatingKafkaConfig;
  readonly #options: LastingConsumerOptions;
  readonly #closing = new AbortController();
  #consumer: RotatingConsumer | undefined;
  #failure: Error | undefined;

  private constructor(
    credential: RotatingCredential<KafkaLogin>,
    config: RotatingKafkaConfig,
    options: LastingConsumerOptions,
  ) {
    this.#credential = credential;
    this.#config = config;
    this.#options = options;
  }

  /** Resolves when the group has taken it in. */
  static async open(
    credential: RotatingCredential<KafkaLogin>,
    config: RotatingKafkaConfig,
    options: LastingConsumerOptions,
  ): Promise<LastingConsumer> {
    const lasting = new LastingConsumer(credential, config, options);
    await lasting.#begin();
    return lasting;
  }

  /** Why nothing is read now; undefined while a member of the group reads. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Open connections by generation of the login. */
  connections(): ReadonlyMap<number, number> {
    return this.#consumer?.connections() ?? new Map();
  }

  /** Finishes the batch under way and leaves the group. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#consumer?.close();
  }

  /** Ends the connections now. Idempotent. */
  async destroy(): Promise<void> {
    this.#closing.abort();
    await this.#consumer?.destroy();
  }

  async #begin(): Promise<void> {
    const { logger: _, onRestart: __, ...options } = this.#options;
    let member: RotatingConsumer | undefined;
    member = await rotatingConsumer(this.#credential, this.#config, {
      ...options,
      onCrash: (error) => {
        if (this.#consumer === member) void this.#restart(error);
      },
    });
    this.#consumer = member;
    this.#failure = undefined;
  }

  async #restart(crash: Error): Promise<void> {
    const { logger, onRestart } = this.#options;
    if (this.#failure !== undefined || this.#closing.signal.aborted) return;
    this.#failure = crash;
    const crashed = this.#consumer;
    logger.error({ error: messageOf(crash) }, 'the consumer ended: beginning again');
    // Not waited for: kafkajs may wait for answers that cannot come, and the group goes by the member's silence.
    crashed?.destroy().catch(() => undefined);
    for (let attempt = 0; !this.#closing.signal.aborted; attempt += 1) {
      onRestart?.();
      try {
        await sleep(fullJitterMs(attempt, BACKOFF), { signal: this.#closing.signal });
        await this.#begin();
        logger.info({}, 'the consumer reads again');
        break;
      } catch (error) {
        if (!this.#closing.signal.aborted)
          logger.warn({ error: messageOf(error) }, 'the consumer could not begin again');
      }
    }
    if (this.#closing.signal.aborted) await this.#consumer?.destroy();
  }
}
