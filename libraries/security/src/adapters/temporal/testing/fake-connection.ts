import { AsyncLocalStorage } from 'node:async_hooks';
import type { CredentialProvider } from '../../../credentials/index.ts';
import { RotatingCredential } from '../../../credentials/index.ts';
import { FakeClock } from '../../../testing/fake-clock.ts';
import type { TemporalMetadata } from '../connection.ts';

interface Scope {
  readonly deadline?: number | Date;
  readonly metadata?: TemporalMetadata;
  readonly signal?: AbortSignal;
}

export interface FakeCall extends Scope {
  readonly login: string;
  readonly method: string;
  readonly request: unknown;
  answer(value: unknown): void;
}

/** A Temporal server as far as calls go: each one waits until the test answers it, except probes. */
export class FakeServer {
  readonly calls: FakeCall[] = [];
  readonly log: string[] = [];
  readonly refused = new Set<string>();
}

/** A connection with the surface of the drivers'. Calls made on it take the scope of its own storage only. */
export class FakeConnection {
  readonly plugins = [];
  readonly workflowService;
  readonly operatorService;
  readonly healthService;
  readonly login: string;
  readonly server: FakeServer;
  readonly #scope = new AsyncLocalStorage<Scope>();
  holders = 0;
  apiKey: string;

  constructor(server: FakeServer, login: string) {
    this.server = server;
    this.login = login;
    this.apiKey = login;
    server.log.push(`open ${login}`);
    const call = (method: string) => (request: unknown) => this.#call(method, request);
    const version = 1;
    this.workflowService = {
      version,
      describeNamespace: (request: { readonly namespace: string }) => this.#probe(request),
      startWorkflowExecution: call('startWorkflowExecution'),
      getWorkflowExecutionHistory: call('getWorkflowExecutionHistory'),
      pollWorkflowTaskQueue: call('pollWorkflowTaskQueue'),
    };
    this.operatorService = { listSearchAttributes: call('listSearchAttributes') };
    this.healthService = { check: call('check') };
  }

  withDeadline<R>(deadline: number | Date, work: () => Promise<R>): Promise<R> {
    return this.#scope.run({ ...this.#scope.getStore(), deadline }, work);
  }

  withMetadata<R>(metadata: TemporalMetadata, work: () => Promise<R>): Promise<R> {
    const scope = this.#scope.getStore();
    return this.#scope.run({ ...scope, metadata: { ...scope?.metadata, ...metadata } }, work);
  }

  withAbortSignal<R>(signal: AbortSignal, work: () => Promise<R>): Promise<R> {
    return this.#scope.run({ ...this.#scope.getStore(), signal }, work);
  }

  async ensureConnected(): Promise<void> {
    this.server.log.push(`ensure ${this.login}`);
  }

  setApiKey(apiKey: string): void {
    this.apiKey = apiKey;
  }

  async close(): Promise<void> {
    if (this.holders > 0) throw new Error('Cannot close connection while Workers hold a reference to it');
    this.server.log.push(`close ${this.login}`);
  }

  async #probe({ namespace }: { readonly namespace: string }): Promise<unknown> {
    const key = this.#scope.getStore()?.metadata?.Authorization ?? `Bearer ${this.apiKey}`;
    this.server.log.push(`probe ${namespace} ${key}`);
    if (this.server.refused.has(String(key))) throw new Error('PERMISSION_DENIED');
    return {};
  }

  /** As the driver's: a call that is told to end takes a turn to do so, and must find its connection open. */
  #call(method: string, request: unknown): Promise<unknown> {
    const scope = this.#scope.getStore() ?? {};
    return new Promise((answer, reject) => {
      this.server.calls.push({ login: this.login, method, request, answer, ...scope });
      scope.signal?.addEventListener('abort', () => {
        setImmediate(() => {
          this.server.log.push(`cancelled ${this.login} ${method}`);
          reject(new Error('CANCELLED'));
        });
      });
    });
  }
}

/** As a worker of the driver: it holds its connection until it is shut down. */
export class FakeWorker {
  #connection: FakeConnection;
  readonly #refuses: boolean;

  constructor(connection: FakeConnection, { refuses = false }: { readonly refuses?: boolean } = {}) {
    this.#connection = connection;
    this.#refuses = refuses;
    connection.holders += 1;
  }

  get connection(): FakeConnection {
    return this.#connection;
  }

  set connection(next: FakeConnection) {
    if (this.#refuses) throw new Error('the worker is being shut down');
    this.#connection.holders -= 1;
    this.#connection = next;
    next.holders += 1;
  }

  shutdown(): void {
    this.#connection.holders -= 1;
  }
}

/** A credential whose values are `login1`, `login2` and so on, made into `T`. */
export async function fakeLogins<T>(make: (text: string) => T) {
  const clock = new FakeClock();
  let issued = 0;
  const provider: CredentialProvider<T> = {
    name: 'temporal',
    async obtain() {
      issued += 1;
      const times = { issuedAtMs: clock.now(), expiresAtMs: clock.now() + 90_000 };
      return { value: make(`login${issued}`), ...times, revoke: async () => undefined };
    },
  };
  const credential = await RotatingCredential.open({ provider, clock, random: () => 0.5 });
  return { clock, credential };
}

/** Waits for something that other turns of the event loop bring about. */
export async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setImmediate(resolve));
}
