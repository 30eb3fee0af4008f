import { NeuralHiveError } from '@neural-hive/security/common';

const STATUS = {
  invalid_request: 400,
  permission_denied: 403,
  not_found: 404,
  unsupported_operation: 405,
  too_large: 413,
  internal: 500,
  bad_gateway: 502,
} as const;

export type FaultCode = keyof typeof STATUS;

export interface FaultDetails {
  /** Texts of the answer's `errors`. Default: the message alone. */
  readonly errors?: readonly string[];
  /** Sent instead of `errors` in an ordinary envelope: KV v2 answers 404 with the metadata of a deleted version. */
  readonly data?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** A request that ends in an error answer. */
export class Fault extends NeuralHiveError<FaultCode> {
  readonly status: number;
  readonly errors: readonly string[];
  readonly data: Readonly<Record<string, unknown>> | undefined;

  constructor(code: FaultCode, message: string, details: FaultDetails = {}) {
    super(code, message, { retryable: code === 'internal' || code === 'bad_gateway', cause: details.cause });
    this.status = STATUS[code];
    this.errors = details.errors ?? [message];
    this.data = details.data;
  }
}

export function invalid(message: string): Fault {
  return new Fault('invalid_request', message);
}

/** A 404 that says nothing, as for a secret that is not there. */
export function notFound(): Fault {
  return new Fault('not_found', 'not found', { errors: [] });
}

/** The wire text of a refusal by policy: the same whether or not the path exists. */
export function denied(): Fault {
  return new Fault('permission_denied', 'permission denied', {
    errors: ['1 error occurred:\n\t* permission denied\n\n'],
  });
}
