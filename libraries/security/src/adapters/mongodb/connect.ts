import { MongoClient, type MongoClientOptions } from 'mongodb';
import { type Clock, sleep } from '../../common/index.ts';
import type { Generation } from '../../credentials/index.ts';
import type { MongoLogin } from './login.ts';

export interface RotatingMongoClientOptions extends Omit<MongoClientOptions, 'auth'> {
  /**
   * Run on the client of each new login before it is used. Read a collection that the service needs: a login without
   * any right passes the default, which only logs in and pings.
   */
  readonly probe?: (client: MongoClient) => Promise<unknown>;
  /** Of one probe, connection included. In milliseconds; default 10 000. */
  readonly probeTimeoutMs?: number;
  /** Sees each client of the driver before it connects, to listen to its events. */
  readonly onClient?: (client: MongoClient, generation: number) => void;
  readonly clock?: Clock;
}

export interface ConnectOptions {
  readonly uri: string;
  readonly options: Omit<RotatingMongoClientOptions, 'clock'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** How long a client that is taken away may take to say so to the server. */
const DESTROY_LIMIT_MS = 1_000;

/** A client that has logged in and passed the probe. Rejects with the first failure, and leaves no client then. */
export async function connect(generation: Generation<MongoLogin>, given: ConnectOptions): Promise<MongoClient> {
  const { probe = ping, probeTimeoutMs = 10_000, onClient, ...options } = given.options;
  const { clock, signal } = given;
  signal.throwIfAborted();
  const { username, password } = generation.value;
  const client = new MongoClient(given.uri, { ...options, auth: { username, password: password.reveal() } });
  onClient?.(client, generation.generation);
  const over = new AbortController();
  const limit = sleep(probeTimeoutMs, { clock, signal: AbortSignal.any([signal, over.signal]) }).then(() => {
    throw new Error(`the probe took over ${probeTimeoutMs} ms`);
  });
  try {
    await Promise.race([limit, client.connect().then(() => probe(client))]);
    return client;
  } catch (error) {
    void client.close().catch(() => undefined);
    throw error;
  } finally {
    over.abort();
    limit.catch(() => undefined);
  }
}

function ping(client: MongoClient): Promise<unknown> {
  return client.db('admin').command({ ping: 1 });
}

/**
 * The driver closes the connections in use first and at once. Then it tells the server what cursors and sessions were
 * left, over new connections: not having heard an answer to that holds up nobody.
 */
export async function destroy(client: MongoClient, clock: Clock): Promise<void> {
  const over = new AbortController();
  const limit = sleep(DESTROY_LIMIT_MS, { clock, signal: over.signal });
  try {
    await Promise.race([client.close(), limit]);
  } finally {
    over.abort();
    limit.catch(() => undefined);
  }
}
