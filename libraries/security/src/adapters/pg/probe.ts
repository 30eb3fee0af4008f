import type pg from 'pg';
import type { Clock } from '../../common/index.ts';

export interface ProbeOptions {
  readonly query?: string;
  readonly timeoutMs?: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Fails when the role is gone, which a plain `SELECT 1` would not notice. */
const DEFAULT_QUERY = 'SELECT current_user';

/** Opens a connection, runs one query, closes it. Rejects with the first failure. */
export async function probeLogin(connect: () => pg.Client, options: ProbeOptions): Promise<void> {
  const { query = DEFAULT_QUERY, timeoutMs = 5_000, clock, signal } = options;
  signal.throwIfAborted();
  const client = connect();
  let stop: (reason: Error) => void = () => undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = reject;
  });
  stopped.catch(() => undefined);
  client.on('error', stop);
  const onAbort = (): void => stop(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const timer = clock.setTimer(timeoutMs, () => stop(new Error(`the probe took over ${timeoutMs} ms`)));
  try {
    await Promise.race([stopped, client.connect().then(() => client.query(query))]);
    await Promise.race([stopped, client.end()]);
  } catch (error) {
    // A connection that hangs would not end politely.
    client.connection.stream.destroy();
    throw error;
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', onAbort);
  }
}
