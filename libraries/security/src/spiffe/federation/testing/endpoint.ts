import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { IssuedCertificate } from '../../../testing/certificate-authority-options.ts';
import { encodeSpiffeBundle } from '../../bundle/spiffe/encode.ts';
import type { SpiffeBundle } from '../../bundle/spiffe/spiffe-bundle.ts';

/** A server with any certificate and any answer, for tests of what a client refuses. */
export function rawEndpoint(issued: IssuedCertificate, listener: RequestListener): Promise<TestEndpoint> {
  const key = issued.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return listening(createServer({ cert: issued.certificateChainPem, key }, listener));
}

export interface TestEndpoint {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

export async function listening(server: Server): Promise<TestEndpoint> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://localhost:${port}/bundle`,
    port,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Serves a bundle that tests change; without one the answer is 503. */
export class ChangingEndpoint {
  bundle: SpiffeBundle | undefined;
  /** Requests so far. */
  asked = 0;
  readonly #endpoint: TestEndpoint;
  readonly #waiting: (() => void)[];

  private constructor(endpoint: TestEndpoint, waiting: (() => void)[], bundle: SpiffeBundle | undefined) {
    this.#endpoint = endpoint;
    this.#waiting = waiting;
    this.bundle = bundle;
  }

  static async serve(issued: IssuedCertificate, bundle: SpiffeBundle | undefined): Promise<ChangingEndpoint> {
    const waiting: (() => void)[] = [];
    let self: ChangingEndpoint | undefined;
    const opened = await rawEndpoint(issued, (_request, response) => {
      if (self?.bundle === undefined) response.writeHead(503).end();
      else response.end(encodeSpiffeBundle(self.bundle));
      if (self !== undefined) self.asked += 1;
      for (const wake of waiting.splice(0)) wake();
    });
    self = new ChangingEndpoint(opened, waiting, bundle);
    return self;
  }

  get url(): string {
    return this.#endpoint.url;
  }

  nextRequest(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  close(): Promise<void> {
    return this.#endpoint.close();
  }
}
