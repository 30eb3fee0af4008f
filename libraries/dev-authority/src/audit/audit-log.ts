import { createHmac } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Clock } from '@neural-hive/security/common';
import { isRecord } from '../api/fields.ts';

/** Where parts of the authority report what happens outside a request. */
export interface AuditEvents {
  event(name: string, fields: Readonly<Record<string, unknown>>): void;
  /** A keyed digest under which the same secret can be recognised and not read. */
  hmac(text: string): string;
}

export interface AuditedRequest {
  readonly id: string;
  readonly operation: string;
  readonly mountPoint: string;
  readonly path: string;
  readonly remoteAddress: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface AuditedAuth {
  readonly clientToken: string;
  readonly accessor: string;
  readonly displayName: string;
  readonly policies: readonly string[];
}

export interface AuditedResponse {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly errors?: readonly string[];
}

const TOKEN_SEGMENT = /^(?:hvs|hvb|hvr|s|b|r)\.[A-Za-z0-9._-]{20,}$/;
const LEASE_PATH = /^(sys\/(?:leases\/)?(?:lookup|renew|revoke)\/)(.+)$/;

/**
 * JSON lines: one for a request before it is served, one for its answer before that is sent, one for each event. Every
 * text in a body is replaced by its HMAC; paths stay readable except for tokens and lease ids in them. A line that
 * cannot be written fails the request.
 */
export class AuditLog implements AuditEvents {
  readonly #file: number;
  readonly #key: Buffer;
  readonly #clock: Clock;

  constructor(path: string, key: Buffer, clock: Clock) {
    this.#file = openSync(path, 'a', 0o600);
    this.#key = key;
    this.#clock = clock;
  }

  request(request: AuditedRequest, auth: AuditedAuth | undefined): void {
    this.#write('request', { auth: this.#auth(auth), request: this.#request(request) });
  }

  response(request: AuditedRequest, auth: AuditedAuth | undefined, response: AuditedResponse): void {
    this.#write('response', {
      auth: this.#auth(auth),
      request: this.#request(request),
      response: { status: response.status, ...(this.#hide(response.body) as object) },
      ...(response.errors === undefined
        ? {}
        : { error: response.errors.length === 0 ? 'none' : this.#hide(response.errors) }),
    });
  }

  event(name: string, fields: Readonly<Record<string, unknown>>): void {
    this.#write('event', { event: name, ...fields });
  }

  hmac(text: string): string {
    return `hmac-sha256:${createHmac('sha256', this.#key).update(text).digest('hex')}`;
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(type: string, fields: Readonly<Record<string, unknown>>): void {
    writeSync(this.#file, `${JSON.stringify({ time: new Date(this.#clock.now()).toISOString(), type, ...fields })}\n`);
  }

  #auth(auth: AuditedAuth | undefined): unknown {
    if (auth === undefined) return {};
    return {
      client_token: this.hmac(auth.clientToken),
      accessor: this.hmac(auth.accessor),
      display_name: auth.displayName,
      policies: auth.policies,
    };
  }

  #request(request: AuditedRequest): unknown {
    return {
      id: request.id,
      operation: request.operation,
      mount_point: request.mountPoint,
      path: this.#hidePath(request.path),
      remote_address: request.remoteAddress,
      ...(Object.keys(request.body).length === 0 ? {} : { data: this.#hide(request.body) }),
    };
  }

  #hidePath(path: string): string {
    const lease = LEASE_PATH.exec(path);
    if (lease !== null) return `${lease[1]}${this.hmac(lease[2] ?? '')}`;
    const segments = path.split('/');
    return segments.map((segment) => (TOKEN_SEGMENT.test(segment) ? this.hmac(segment) : segment)).join('/');
  }

  /** Numbers and flags say little; every text may be a secret. */
  #hide(value: unknown): unknown {
    if (typeof value === 'string') return value === '' ? '' : this.hmac(value);
    if (Array.isArray(value)) return value.map((entry) => this.#hide(entry));
    if (isRecord(value))
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, this.#hide(inner)]));
    return value;
  }
}
