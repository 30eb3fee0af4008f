import { Breaker, type BreakerOptions } from './breaker.ts';
import { Transport, type TransportOptions } from './transport.ts';

/** One address: the connections to it and the breaker that watches it. */
export interface ServerNode {
  readonly origin: string;
  readonly transport: Transport;
  readonly breaker: Breaker;
}

export interface ServerNodesOptions extends TransportOptions, BreakerOptions {
  readonly address: URL;
  /** To which origins the server may redirect. */
  readonly redirectOrigins: readonly string[];
}

/** The nodes of a server: the configured one, and on demand those to which it may redirect. */
export class ServerNodes {
  readonly first: ServerNode;
  readonly #options: ServerNodesOptions;
  readonly #others = new Map<string, ServerNode>();

  constructor(options: ServerNodesOptions) {
    this.#options = options;
    this.first = this.#open(options.address.origin);
  }

  /** Undefined for an origin that the client was not told of. */
  at(origin: string): ServerNode | undefined {
    if (origin === this.first.origin) return this.first;
    if (!this.#options.redirectOrigins.includes(origin)) return undefined;
    const node = this.#others.get(origin) ?? this.#open(origin);
    this.#others.set(origin, node);
    return node;
  }

  /** Whether the client's certificate is another one now; see `Transport.renewCertificate`. */
  renewCertificate(): boolean {
    return this.#all().map(({ transport }) => transport.renewCertificate())[0] === true;
  }

  async destroy(): Promise<void> {
    await Promise.all(this.#all().map(({ transport }) => transport.destroy()));
  }

  #all(): ServerNode[] {
    return [this.first, ...this.#others.values()];
  }

  #open(origin: string): ServerNode {
    return { origin, transport: new Transport(origin, this.#options), breaker: new Breaker(this.#options) };
  }
}
