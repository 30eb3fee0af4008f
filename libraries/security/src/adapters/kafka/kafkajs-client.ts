import type { ConnectionOptions } from 'node:tls';
import type { Kafka, KafkaConfig, SASLOptions } from 'kafkajs';
import type { Generation, ResourceFactory } from '../../credentials/index.ts';
import type { KafkaLogin } from './login.ts';
import { OpenSockets } from './open-sockets.ts';

/** Everything of a kafkajs configuration but what the credential decides. There is no way without TLS. */
export interface RotatingKafkaConfig extends Omit<KafkaConfig, 'sasl' | 'socketFactory' | 'ssl'> {
  readonly ssl: ConnectionOptions | true;
}

interface Disconnectable {
  disconnect(): Promise<void>;
}

/** A kafkajs client of one generation, with its connections. */
export interface KafkaClient<C> {
  readonly client: C;
  readonly sockets: OpenSockets;
}

/**
 * The login of one generation, for all of its life: kafkajs reads it again at each re-authentication, and a broker
 * ends a connection that re-authenticates as another user (KIP-368), so it must not change under a connection.
 */
function saslOf({ username, password }: KafkaLogin): SASLOptions {
  const sasl = { mechanism: 'scram-sha-512', username } as const;
  // Not enumerable, so that whatever prints the configuration does not print it.
  return Object.defineProperty(sasl, 'password', { get: () => password.reveal() }) as unknown as SASLOptions;
}

/** Makes one kafkajs client a generation; `start` connects it and shows that it works. */
export function kafkaClients<C extends Disconnectable>(
  config: RotatingKafkaConfig,
  make: (kafka: Kafka) => C,
  start: (client: C, signal: AbortSignal) => Promise<void>,
): ResourceFactory<KafkaLogin, KafkaClient<C>> {
  // A caller in JavaScript may leave it out, and the password would be safe from nobody on the way.
  if (!config.ssl) throw new TypeError('ssl: must be given, a login is not sent without TLS');
  const destroy = async ({ client, sockets }: KafkaClient<C>): Promise<void> => {
    sockets.destroy();
    await client.disconnect().catch(() => undefined);
  };
  return {
    async open({ value }: Generation<KafkaLogin>, { signal }) {
      // Whoever uses the other driver need not have this one.
      const { Kafka } = await import('kafkajs');
      const sockets = new OpenSockets();
      const kafka = new Kafka({ ...config, sasl: saslOf(value), socketFactory: sockets.factory });
      const opened = { client: make(kafka), sockets };
      try {
        await start(opened.client, signal);
        signal.throwIfAborted();
      } catch (error) {
        await destroy(opened);
        throw error;
      }
      return opened;
    },
    async close({ client, sockets }) {
      await client.disconnect();
      await sockets.closed();
    },
    destroy,
  };
}
