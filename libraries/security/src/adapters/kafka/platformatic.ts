import { type RotatingCredential, RotatingResource, type RotatingResourceOptions } from '../../credentials/index.ts';
import type { KafkaLogin } from './login.ts';

/** The `sasl` option of a client of @platformatic/kafka. */
export interface PlatformaticSasl {
  readonly mechanism: 'SCRAM-SHA-512';
  readonly username: () => string;
  readonly password: () => string;
}

/** What a producer, a consumer and an admin client of @platformatic/kafka (1.35, 2.x) have in common. */
export interface PlatformaticClient {
  metadata(options: { readonly topics: string[] }): Promise<unknown>;
  close(force?: boolean): Promise<void>;
}

/** What its consumers read from. */
export interface PlatformaticStream<M extends PlatformaticMessage> extends AsyncIterable<M> {
  close(): Promise<void>;
}

export interface PlatformaticMessage {
  commit(): Promise<void> | void;
}

/**
 * Follows a rotating credential with clients of @platformatic/kafka: `make` constructs one with the given `sasl`. That
 * its login may be a function does not help by itself, since a broker ends a connection that authenticates again as
 * another user (KIP-368); each generation has a client of its own, and the function serves its re-authentications.
 */
export function rotatingPlatformatic<C extends PlatformaticClient>(
  credential: RotatingCredential<KafkaLogin>,
  make: (sasl: PlatformaticSasl) => C,
  options: RotatingResourceOptions = {},
): Promise<RotatingResource<KafkaLogin, C>> {
  return RotatingResource.open(
    credential,
    {
      async open({ value: { username, password } }) {
        const client = make({
          mechanism: 'SCRAM-SHA-512',
          username: () => username,
          password: () => password.reveal(),
        });
        try {
          // The first request connects and authenticates.
          await client.metadata({ topics: [] });
        } catch (error) {
          await client.close(true).catch(() => undefined);
          throw error;
        }
        return client;
      },
      close: (client: C) => client.close(),
      destroy: (client: C) => client.close(true),
    },
    options,
  );
}

/**
 * Consumes until the signal is aborted: `consume` opens a stream on the consumer of the newest generation. Each message
 * is committed once `eachMessage` has resolved. In a rotation the message under way is finished, then the next
 * generation's consumer goes on where the group is, so messages come at least once.
 */
export async function consumePlatformatic<C extends PlatformaticClient, M extends PlatformaticMessage>(
  consumers: RotatingResource<KafkaLogin, C>,
  options: {
    readonly consume: (consumer: C) => Promise<PlatformaticStream<M>>;
    readonly eachMessage: (message: M) => Promise<void> | void;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { consume, eachMessage, signal } = options;
  while (!signal.aborted) {
    const hold = consumers.hold();
    try {
      const stream = await consume(hold.resource);
      let stopping = false;
      const stop = (): void => {
        stopping = true;
        // Ends the wait for a next message; what it had read ahead was not committed and comes again.
        void stream.close().catch(() => undefined);
      };
      hold.onRetire(stop);
      if (signal.aborted) stop();
      signal.addEventListener('abort', stop, { once: true });
      try {
        for await (const message of stream) {
          await eachMessage(message);
          await message.commit();
          if (stopping) break;
        }
      } finally {
        signal.removeEventListener('abort', stop);
        await stream.close().catch(() => undefined);
      }
    } finally {
      hold.release();
    }
  }
}
