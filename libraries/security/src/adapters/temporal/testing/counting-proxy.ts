import { connect, createServer, type Server, type Socket } from 'node:net';

/** Passes connections on to a server as they are, and knows which of them are open. */
export class CountingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #open = new Set<number>();
  readonly #sockets = new Set<Socket>();
  readonly #waiting = new Set<() => void>();
  #accepted = 0;

  private constructor(target: string) {
    const [host = '', port = ''] = target.split(':');
    this.#server = createServer((incoming) => {
      const number = this.#accepted;
      this.#accepted += 1;
      this.#open.add(number);
      const outgoing = connect(Number(port), host);
      this.#sockets.add(incoming).add(outgoing);
      const end = (): void => {
        incoming.destroy();
        outgoing.destroy();
        if (!this.#open.delete(number)) return;
        for (const look of [...this.#waiting]) look();
      };
      for (const socket of [incoming, outgoing]) {
        socket.on('error', () => undefined);
        socket.once('close', () => {
          this.#sockets.delete(socket);
          end();
        });
      }
      incoming.pipe(outgoing);
      outgoing.pipe(incoming);
    });
  }

  static async listen(target: string): Promise<CountingProxy> {
    const proxy = new CountingProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get address(): string {
    const address = this.#server.address();
    return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  /** Connections so far. */
  get accepted(): number {
    return this.#accepted;
  }

  get open(): number {
    return this.#open.size;
  }

  /** Resolves once every connection with a number below `number` has ended. */
  async ended(number: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if ([...this.#open].some((open) => open < number)) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
