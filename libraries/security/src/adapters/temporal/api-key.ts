import type { Secret } from '../../common/index.ts';
import type { CredentialConsumer, Generation, RotatingCredential } from '../../credentials/index.ts';
import { type ProbeOptions, probeConnection, type TemporalConnection } from './connection.ts';

/** A connection whose API key can be replaced: `Connection` and `NativeConnection` are. */
export interface TemporalApiKeyConnection extends TemporalConnection {
  setApiKey(apiKey: string): void | Promise<void>;
}

/** The header that the drivers make of an API key. */
const authorization = (apiKey: Secret<string>): { Authorization: string } => ({
  Authorization: `Bearer ${apiKey.reveal()}`,
});

class ApiKeyConsumer implements CredentialConsumer<Secret<string>> {
  readonly #connection: TemporalApiKeyConnection;
  readonly #options: ProbeOptions;

  constructor(connection: TemporalApiKeyConnection, options: ProbeOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  async probe({ value }: Generation<Secret<string>>, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    await this.#connection.withMetadata(authorization(value), () => probeConnection(this.#connection, this.#options));
    signal.throwIfAborted();
  }

  async publish({ value }: Generation<Secret<string>>): Promise<void> {
    await this.#connection.setApiKey(value.reveal());
  }

  /** A call is judged by its key when it arrives: those under way need it no more. */
  async drain(): Promise<{ terminated: number }> {
    return { terminated: 0 };
  }
}

/**
 * Has a connection follow an API key or a JWT, as it is: every call from a rotation on, the next poll of a worker among
 * them, bears the new key. Make the connection with TLS and `credential.current()`; it is tried with the newest key
 * here. The returned function ends it. Where a key is revoked the moment it is replaced, a call that the driver repeats
 * just then still bears it: let it live on for a minute, or use `rotatingConnection`, which waits for the calls.
 */
export async function rotateApiKey(
  connection: TemporalApiKeyConnection,
  credential: RotatingCredential<Secret<string>>,
  options: ProbeOptions = {},
): Promise<() => void> {
  const consumer = new ApiKeyConsumer(connection, options);
  const detach = credential.attach(consumer);
  try {
    // It may have been replaced since the connection was made.
    await consumer.publish(credential.current());
    await probeConnection(connection, options);
  } catch (error) {
    detach();
    throw error;
  }
  return detach;
}
