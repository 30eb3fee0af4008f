import type { EventEmitter } from 'node:events';
import { Agent, type buildConnector, Dispatcher } from 'undici';
import type { Timer } from '../../common/index.ts';
import { ageLimit, type ClientRules, type ConnectionAge, connectTls, type TrustLoss } from '../../tls/index.ts';

/** The variants of `connectTls`. */
export type SpiffeAgentOptions = ClientRules &
  TrustLoss &
  ConnectionAge & {
    /** Until a new connection is verified, in milliseconds, default 10 000. */
    readonly connectTimeoutMs?: number;
    /** Everything else undici's `Agent` takes. */
    readonly agent?: Omit<Agent.Options, 'connect'>;
  };

const HTTPS_PORT = 443;
const EVENTS = ['connect', 'disconnect', 'connectionError', 'drain'] as const;

/**
 * An undici dispatcher whose every new connection uses the identity's current SVID and goes only to a verified and
 * authorized server. Open connections keep the SVID they were made with, until `maxAgeMs`. Plain `http:` is refused.
 */
export function spiffeAgent(options: SpiffeAgentOptions): Agent {
  return new SpiffeAgent(options);
}

/**
 * Changes its whole pool when that reaches the age: requests that run end on the old one, the next one begins a new one.
 * Not undici's `clientTtl`, which is not looked at with one connection, and ends an old one only when the next request
 * comes.
 */
class SpiffeAgent extends Dispatcher implements Agent {
  readonly #create: () => Agent;
  readonly #limit: ReturnType<typeof ageLimit>;
  readonly #retired = new Set<Agent>();
  #current: Agent | undefined;
  #age: Timer | undefined;

  constructor(options: SpiffeAgentOptions) {
    super();
    const { agent, ...rules } = options;
    const connect = connectorOf(rules);
    this.#create = () => new Agent({ ...agent, connect });
    this.#limit = ageLimit(options);
  }

  override dispatch(options: Agent.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    this.#current ??= this.#begin();
    return this.#current.dispatch(options, handler);
  }

  #begin(): Agent {
    const agent = this.#create();
    const events: EventEmitter = agent;
    for (const event of EVENTS)
      events.on(event, (...values: unknown[]) => (this as EventEmitter).emit(event, ...values));
    const age = this.#limit({
      retire: () => {
        this.#retired.add(agent);
        if (this.#current === agent) this.#current = undefined;
        const done = (): void => {
          age.cancel();
          this.#retired.delete(agent);
        };
        agent.close().then(done, done);
      },
      destroy: () => agent.destroy(),
    });
    this.#age = age;
    return agent;
  }

  get closed(): boolean {
    return this.#current?.closed ?? false;
  }

  get destroyed(): boolean {
    return this.#current?.destroyed ?? false;
  }

  get stats(): Agent['stats'] {
    return this.#current?.stats ?? {};
  }

  /** The current pool stays, closed: it refuses what comes later as undici does. */
  #all(): Agent[] {
    this.#age?.cancel();
    this.#current ??= this.#create();
    return [this.#current, ...this.#retired];
  }

  override close(): Promise<void>;
  override close(callback: () => void): void;
  override close(callback?: () => void): Promise<void> | void {
    return answer(
      this.#all().map((agent) => agent.close()),
      callback,
    );
  }

  override destroy(error?: Error | null): Promise<void>;
  override destroy(callback: () => void): void;
  override destroy(error: Error | null, callback: () => void): void;
  override destroy(error?: Error | null | (() => void), callback?: () => void): Promise<void> | void {
    const [reason, then] = typeof error === 'function' ? [null, error] : [error ?? null, callback];
    return answer(
      this.#all().map((agent) => agent.destroy(reason)),
      then,
    );
  }
}

function answer(ends: readonly Promise<void>[], callback: (() => void) | undefined): Promise<void> | void {
  const ended = Promise.all(ends).then(() => undefined);
  if (callback === undefined) return ended;
  ended.then(callback, callback);
}

function connectorOf({ connectTimeoutMs, ...rules }: Omit<SpiffeAgentOptions, 'agent'>): buildConnector.connector {
  return (target, callback) => {
    if (target.protocol !== 'https:') {
      callback(new TypeError('A SPIFFE agent connects to https: only'), null);
      return;
    }
    connectTls({
      ...(rules as ClientRules & TrustLoss),
      host: bareHost(target.hostname),
      port: target.port === '' ? HTTPS_PORT : Number(target.port),
      alpnProtocols: ['http/1.1'],
      ...(connectTimeoutMs === undefined ? {} : { timeoutMs: connectTimeoutMs }),
    }).then(
      (socket) => callback(null, socket),
      (error: Error) => callback(error, null),
    );
  };
}

/** A URL writes an IPv6 address in brackets. */
function bareHost(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}
