import type { Secret } from '@neural-hive/security/common';
import { askJson, type JsonAnswer } from '../https-json.ts';
import { RealStackError } from '../real-stack-error.ts';

export interface ServiceAccountTokenRequest {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly audiences: readonly string[];
  /** At least 600, default 3600. */
  readonly expirationSeconds?: number;
  /** The pod that the token dies with, by name. Default none. */
  readonly pod?: string;
}

export interface CallOptions {
  /** Default GET, or POST when there is a body. */
  readonly method?: string;
  readonly body?: unknown;
  /** Whose call it is. Default the administrator's. */
  readonly token?: string | Secret<string>;
}

/** A few calls of a Kubernetes API server. Everything else is for kubectl. */
export class KubernetesApi {
  readonly address: string;
  readonly #ca: string;
  readonly #token: Secret<string>;

  constructor(options: { readonly address: string; readonly ca: string; readonly token: Secret<string> }) {
    this.address = options.address;
    this.#ca = options.ca;
    this.#token = options.token;
  }

  /** One round trip; whatever the status is. */
  call(path: string, options: CallOptions = {}): Promise<JsonAnswer> {
    const { method, body, token = this.#token } = options;
    const authorization = `Bearer ${typeof token === 'string' ? token : token.reveal()}`;
    return askJson(`${this.address}${path}`, {
      ca: this.#ca,
      headers: { authorization },
      ...(method === undefined ? {} : { method }),
      ...(body === undefined ? {} : { body }),
    });
  }

  /** Makes one object, at the path of its collection. @throws RealStackError `command_failed` with the server's message */
  async create(collection: string, object: object): Promise<unknown> {
    return accepted(await this.call(collection, { body: object }), `Creating an object at ${collection}`);
  }

  /** @throws RealStackError `command_failed` with the server's message */
  async delete(path: string): Promise<void> {
    accepted(await this.call(path, { method: 'DELETE' }), `Deleting ${path}`);
  }

  async createNamespace(name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.create('/api/v1/namespaces', { metadata: { name, labels } });
  }

  async createServiceAccount(namespace: string, name: string): Promise<void> {
    await this.create(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
  }

  /** What `TokenRequest` gives: a token of a service account, bound to it or to one of its pods. */
  async requestToken(request: ServiceAccountTokenRequest): Promise<string> {
    const { namespace, serviceAccount, audiences, expirationSeconds = 3_600, pod } = request;
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
    const boundObjectRef = pod === undefined ? {} : { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod } };
    const body = { spec: { audiences, expirationSeconds, ...boundObjectRef } };
    const { status } = (await this.create(path, body)) as { status: { token: string } };
    return status.token;
  }

  /** Whether every API path is served. */
  isReady(): Promise<boolean> {
    return this.call('/readyz').then(
      ({ status }) => status === 200,
      () => false,
    );
  }
}

function accepted({ status, json, text }: JsonAnswer, what: string): unknown {
  if (status >= 200 && status < 300) return json;
  const { message = text } = (json ?? {}) as { message?: string };
  throw new RealStackError('command_failed', `${what}: the API server answered ${status}: ${message}`);
}
