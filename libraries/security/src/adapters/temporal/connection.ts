import { type Clock, systemClock } from '../../common/index.ts';
import type { Generation, ResourceFactory } from '../../credentials/index.ts';

/** gRPC metadata of calls. */
export type TemporalMetadata = Record<string, string | Buffer>;

/** What the `Connection` of @temporalio/client and the `NativeConnection` of @temporalio/worker have in common. */
export interface TemporalConnection {
  readonly workflowService: { describeNamespace(request: { readonly namespace: string }): Promise<unknown> };
  withDeadline<R>(deadline: number | Date, work: () => Promise<R>): Promise<R>;
  withMetadata<R>(metadata: TemporalMetadata, work: () => Promise<R>): Promise<R>;
  withAbortSignal<R>(signal: AbortSignal, work: () => Promise<R>): Promise<R>;
  ensureConnected(): Promise<void>;
  close(): Promise<void>;
}

/** Connects with one generation's value. What it gives back is closed by whoever called it. */
export type ConnectTemporal<T, C extends TemporalConnection> = (
  value: T,
  options: { readonly signal: AbortSignal },
) => Promise<C>;

export interface ProbeOptions {
  /**
   * A namespace that the credential may describe; asking for it shows that a new credential is let in. Default `default`.
   */
  readonly namespace?: string;
  readonly clock?: Clock;
}

/** How long the server may take to answer a probe. */
const PROBE_LIMIT_MS = 10_000;

/**
 * Asks something that needs a right: what shows that a server is there (`GetSystemInfo`, the health check) is answered
 * to everybody, so it would pass a key that the server does not know.
 */
export async function probeConnection(
  connection: TemporalConnection,
  { namespace = 'default', clock = systemClock }: ProbeOptions,
): Promise<void> {
  await connection.withDeadline(clock.now() + PROBE_LIMIT_MS, () =>
    connection.workflowService.describeNamespace({ namespace }),
  );
}

/** One connection a generation, probed before it is used. */
export function temporalConnections<T, C extends TemporalConnection>(
  connect: ConnectTemporal<T, C>,
  options: ProbeOptions,
): ResourceFactory<T, C> {
  return {
    async open({ value }: Generation<T>, { signal }) {
      signal.throwIfAborted();
      const connection = await connect(value, { signal });
      try {
        await probeConnection(connection, options);
        signal.throwIfAborted();
      } catch (error) {
        await connection.close().catch(() => undefined);
        throw error;
      }
      return connection;
    },
    close: (connection) => connection.close(),
  };
}
