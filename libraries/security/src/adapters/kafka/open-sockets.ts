import { isIP, type Socket } from 'node:net';
import { connect } from 'node:tls';
import type { ISocketFactory } from 'kafkajs';

const KEEP_ALIVE_MS = 60_000;

/** The connections of one kafkajs client, from their first byte to their last. */
export class OpenSockets {
  readonly #open = new Set<Socket>();
  #waiting: (() => void)[] = [];
  #sealed = false;

  get count(): number {
    return this.#open.size;
  }

  /** What kafkajs is to open its connections with. */
  readonly factory: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    if (this.#sealed) throw new Error('this client was ended');
    const servername = isIP(host) === 0 ? { servername: host } : {};
    const socket = connect({ host, port, ...servername, ...ssl }, onConnect);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.#open.add(socket);
    socket.once('close', () => {
      this.#open.delete(socket);
      if (this.#open.size === 0) for (const resolve of this.#waiting.splice(0)) resolve();
    });
    return socket;
  };

  /** Resolves when none is open: later than `disconnect()`, which does not wait for the broker's end. */
  closed(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Ends all of them now, and every later one before it is opened. */
  destroy(): void {
    this.#sealed = true;
    for (const socket of this.#open) socket.destroy();
  }
}
