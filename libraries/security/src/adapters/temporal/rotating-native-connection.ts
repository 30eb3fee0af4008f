import { type Logger, messageOf, silentLogger } from '../../common/index.ts';
import {
  type ResourceHold,
  type RotatingCredential,
  RotatingResource,
  type RotatingResourceOptions,
} from '../../credentials/index.ts';
import { type ConnectTemporal, type ProbeOptions, type TemporalConnection, temporalConnections } from './connection.ts';

export interface RotatingNativeConnectionOptions extends RotatingResourceOptions, Omit<ProbeOptions, 'clock'> {}

/** What is needed of the `Worker` of @temporalio/worker, 1.15 or later. */
export interface TemporalWorker<C> {
  connection: C | undefined;
}

/**
 * The connection of workers that follows a rotating credential. Each generation has a NativeConnection of its own, and
 * the workers are moved to it while they run: tasks that are being worked on go on, and what a worker answers or asks
 * from then on goes to the new connection. A poll that waits on the old one ends there, with a task or when the server
 * ends its wait, which takes a minute at most; the old connection ends with its last poll.
 */
export class RotatingNativeConnection<C extends TemporalConnection> implements AsyncDisposable {
  readonly #resource: RotatingResource<unknown, C>;
  readonly #logger: Logger;

  private constructor(resource: RotatingResource<unknown, C>, logger: Logger) {
    this.#resource = resource;
    this.#logger = logger;
  }

  /** Resolves when the first connection works. */
  static async open<T, C extends TemporalConnection>(
    credential: RotatingCredential<T>,
    connect: ConnectTemporal<T, C>,
    options: RotatingNativeConnectionOptions = {},
  ): Promise<RotatingNativeConnection<C>> {
    const resource = await RotatingResource.open(credential, temporalConnections(connect, options), options);
    return new RotatingNativeConnection(resource as RotatingResource<unknown, C>, options.logger ?? silentLogger);
  }

  /** The generation that new workers begin with. */
  get generation(): number {
    return this.#resource.generation;
  }

  /** Workers by the generation they are on; generations whose connection is closed are left out. */
  uses(): ReadonlyMap<number, number> {
    return this.#resource.uses();
  }

  /**
   * Makes a worker and has it follow the rotations until what `run` does with it has ended: `worker.run()`,
   * `worker.runUntil(…)`. Several workers may share the connection.
   */
  async runWorker<W extends TemporalWorker<C>, R>(
    create: (connection: C) => Promise<W>,
    run: (worker: W) => Promise<R>,
  ): Promise<R> {
    let hold = this.#resource.hold();
    const follow = (worker: W): void => {
      hold.onRetire(() => {
        const next = this.#newer();
        if (next === undefined || !this.#move(worker, next)) return;
        hold.release();
        hold = next;
        follow(worker);
      });
    };
    try {
      const worker = await create(hold.resource);
      follow(worker);
      return await run(worker);
    } finally {
      hold.release();
    }
  }

  /** Waits for the workers to end, then closes the connections. Idempotent. */
  close(): Promise<void> {
    return this.#resource.close();
  }

  /** Closes what no worker uses, without waiting for the workers: shut them down first. Idempotent. */
  destroy(): Promise<void> {
    return this.#resource.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Undefined when the credential is being closed: the workers then have the drain time to end. */
  #newer(): ResourceHold<C> | undefined {
    try {
      return this.#resource.hold();
    } catch {
      return undefined;
    }
  }

  #move(worker: TemporalWorker<C>, next: ResourceHold<C>): boolean {
    try {
      worker.connection = next.resource;
      return true;
    } catch (error) {
      next.release();
      this.#logger.warn({ cause: messageOf(error) }, 'a Temporal worker did not take the new connection');
      return false;
    }
  }
}

/**
 * Opens a connection for workers of Temporal whose certificate or API key comes from `credential`; `connect` makes the
 * driver's own for one value of it.
 */
export function rotatingNativeConnection<T, C extends TemporalConnection>(
  credential: RotatingCredential<T>,
  connect: ConnectTemporal<T, C>,
  options?: RotatingNativeConnectionOptions,
): Promise<RotatingNativeConnection<C>> {
  return RotatingNativeConnection.open(credential, connect, options);
}
