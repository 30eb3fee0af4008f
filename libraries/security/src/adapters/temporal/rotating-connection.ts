import {
  type ResourceFactory,
  type RotatingCredential,
  RotatingResource,
  type RotatingResourceOptions,
} from '../../credentials/index.ts';
import { CallContext } from './call-context.ts';
import {
  type ConnectTemporal,
  type ProbeOptions,
  type TemporalConnection,
  type TemporalMetadata,
  temporalConnections,
} from './connection.ts';
import { OpenCalls } from './open-calls.ts';

export interface RotatingConnectionOptions extends RotatingResourceOptions, Omit<ProbeOptions, 'clock'> {}

/** A connection that serves a client: every service of it is reached through the facade. */
export interface TemporalClientConnection extends TemporalConnection {
  readonly workflowService: TemporalConnection['workflowService'];
  readonly operatorService: object;
  readonly healthService: object;
  readonly plugins: readonly unknown[];
}

type ServiceName = 'workflowService' | 'operatorService' | 'healthService';
type Method = (request: unknown) => Promise<unknown>;
type Callback = (error: unknown, answer?: unknown) => void;

/** Calls that only read, long polls for the end of a workflow among them: they may be asked again. */
const READS = /^(count|describe|get|list|query|scan)[A-Z]|^poll\w+Execution/;

/**
 * A connection for the `Client` of @temporalio/client that follows a rotating credential; one client, made once, stays
 * in use. Each generation has a connection of its own: a call ends on the one it began on, and the old connection is
 * closed after its last call. At the drain deadline a call that reads, as a wait for the result of a workflow, is asked
 * again on the new connection; any other is rejected with `session-terminated`.
 */
export class RotatingConnection<C extends TemporalClientConnection> implements AsyncDisposable {
  readonly workflowService: C['workflowService'];
  readonly operatorService: C['operatorService'];
  readonly healthService: C['healthService'];
  /** Those of the first connection. */
  readonly plugins: C['plugins'];
  readonly #resource: RotatingResource<unknown, C>;
  readonly #calls: OpenCalls;
  readonly #context = new CallContext();

  private constructor(resource: RotatingResource<unknown, C>, calls: OpenCalls, plugins: C['plugins']) {
    this.#resource = resource;
    this.#calls = calls;
    this.plugins = plugins;
    this.workflowService = this.#service('workflowService');
    this.operatorService = this.#service('operatorService');
    this.healthService = this.#service('healthService');
  }

  /** Resolves when the first connection works. */
  static async open<T, C extends TemporalClientConnection>(
    credential: RotatingCredential<T>,
    connect: ConnectTemporal<T, C>,
    options: RotatingConnectionOptions = {},
  ): Promise<RotatingConnection<C>> {
    const calls = new OpenCalls(options.clock);
    const factory: ResourceFactory<T, C> = {
      ...temporalConnections(connect, options),
      destroy: (connection) => calls.closeAfter(connection),
    };
    const resource = await RotatingResource.open(credential, factory, options);
    const plugins = await resource.use((connection) => connection.plugins);
    return new RotatingConnection(resource as RotatingResource<unknown, C>, calls, plugins);
  }

  /** The generation that new calls use. */
  get generation(): number {
    return this.#resource.generation;
  }

  /** Calls that are under way, by generation; generations whose connection is closed are left out. */
  uses(): ReadonlyMap<number, number> {
    return this.#resource.uses();
  }

  async ensureConnected(): Promise<void> {
    await this.#resource.use((connection) => connection.ensureConnected());
  }

  /** For the calls in the scope of `work`. `deadline` is an epoch time in milliseconds, or a date. */
  withDeadline<R>(deadline: number | Date, work: () => Promise<R>): Promise<R> {
    return this.#context.run({ deadline }, work);
  }

  /** For the calls in the scope of `work`, besides what the connection sends. */
  withMetadata<R>(metadata: TemporalMetadata, work: () => Promise<R>): Promise<R> {
    return this.#context.run({ metadata }, work);
  }

  /** Ends the calls in the scope of `work` when it is aborted. A NativeConnection does not heed it. */
  withAbortSignal<R>(signal: AbortSignal, work: () => Promise<R>): Promise<R> {
    return this.#context.run({ signal }, work);
  }

  /** Lets the calls under way end. Idempotent. */
  close(): Promise<void> {
    return this.#resource.close();
  }

  /** Ends the calls under way and the connections now. Idempotent. */
  destroy(): Promise<void> {
    return this.#resource.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The service of the driver, with methods that choose the connection when they are called. */
  #service<Name extends ServiceName>(name: Name): C[Name] {
    const methods = new Map<string | symbol, (...args: [unknown, Callback?]) => Promise<unknown> | undefined>();
    const get = (_: object, key: string | symbol): unknown => {
      const found = methods.get(key);
      if (found !== undefined) return found;
      const hold = this.#resource.hold();
      hold.release();
      const own: unknown = Reflect.get(hold.resource[name], key);
      if (typeof key === 'symbol' || typeof own !== 'function') return own;
      const method = (request: unknown, callback?: Callback): Promise<unknown> | undefined => {
        const answer = this.#call(name, key, request);
        if (callback === undefined) return answer;
        answer.then((value) => callback(null, value), callback);
        return undefined;
      };
      methods.set(key, method);
      return method;
    };
    return new Proxy({}, { get }) as C[Name];
  }

  async #call(service: ServiceName, method: string, request: unknown): Promise<unknown> {
    for (;;) {
      const hold = this.#resource.hold();
      const { resource, signal } = hold;
      const owner = resource[service] as Record<string, Method>;
      try {
        const call = async (): Promise<unknown> => owner[method]?.(request);
        const answer = this.#context.apply(resource, signal, call);
        this.#calls.add(resource, answer);
        return await orAborted(answer, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
        if (!READS.test(method)) throw signal.reason;
      } finally {
        hold.release();
      }
    }
  }
}

/** A NativeConnection does not heed the signal of its calls. */
async function orAborted<R>(work: Promise<R>, signal: AbortSignal): Promise<R> {
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
  });
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  work.catch(() => undefined);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/**
 * Opens a connection for clients of Temporal whose certificate or API key comes from `credential`; `connect` makes the
 * driver's own for one value of it.
 */
export function rotatingConnection<T, C extends TemporalClientConnection>(
  credential: RotatingCredential<T>,
  connect: ConnectTemporal<T, C>,
  options?: RotatingConnectionOptions,
): Promise<RotatingConnection<C>> {
  return RotatingConnection.open(credential, connect, options);
}
