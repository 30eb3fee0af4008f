import { NeuralHiveError } from '../common/index.ts';

/** Every way in which a call to Vault fails. */
export type VaultErrorCode =
  /** 400: the request is wrong; `errors` says how. */
  | 'invalid-request'
  /** 400 on a KV v2 write: another writer was faster. Read again, then write again. */
  | 'cas-mismatch'
  /** 400 on a renewal or revocation: the lease is gone. */
  | 'lease-not-found'
  /** 403 with a token that is alive: the policy forbids it. */
  | 'permission-denied'
  /** 404: the path, role or secret does not exist, or the secret's version is deleted. */
  | 'not-found'
  /** 405. */
  | 'unsupported-operation'
  /** 412: this node has not caught up with a write yet. */
  | 'not-consistent'
  /** 413. */
  | 'request-too-large'
  /** 429: rate limit or lease count quota. */
  | 'rate-limited'
  /** 503: the server, or the namespace, is sealed. */
  | 'sealed'
  /** The node is a standby that does not forward requests. */
  | 'standby'
  /** 501, or another status that says so: the server has not been initialised. */
  | 'uninitialized'
  /** Another 5xx. */
  | 'unavailable'
  /** One attempt took longer than a limit of its own: `phase` says which. */
  | 'timeout'
  /** The whole call, repetitions included, took longer than its limit. */
  | 'deadline-exceeded'
  /** No connection, or it broke. */
  | 'network'
  /** The handshake failed: most often the server's certificate is not from the configured CA. */
  | 'tls'
  /** The answer is not one of Vault's. */
  | 'bad-response'
  /** The answer is over `maxResponseBytes`. */
  | 'response-too-large'
  /** The server redirects to another origin; the token is not sent there. */
  | 'redirect-refused'
  /** The breaker is open: recent calls failed, this one was not sent. */
  | 'breaker-open'
  /** The login answered without a token, for instance because it wants a second factor. */
  | 'login-incomplete'
  /** The token was handed in from outside: no second one can be had. */
  | 'token-not-replaceable'
  /** A wrapping token does not hold what was expected; it was not opened. */
  | 'wrapping-mismatch'
  /** Going on without Vault is not admitted in this environment. */
  | 'fail-open-refused'
  /** The client was closed. */
  | 'closed';

export interface VaultErrorDetails {
  readonly retryable?: boolean;
  readonly cause?: unknown;
  /** HTTP status, when there was an answer. */
  readonly status?: number | undefined;
  /** The server's own texts. */
  readonly errors?: readonly string[] | undefined;
  readonly requestId?: string | undefined;
  /** What the server asked to wait, from `Retry-After`. */
  readonly retryAfterMs?: number | undefined;
  /** False when the server surely did not carry the request out. */
  readonly maybeExecuted?: boolean | undefined;
  readonly phase?: TimeoutPhase | undefined;
}

/** The part of an attempt that took too long: connecting, waiting for the answer's head, its body, or all together. */
export type TimeoutPhase = 'connect' | 'headers' | 'body' | 'request';

/** A call to Vault failed. Never holds a token, a secret value or a request body. */
export class VaultError extends NeuralHiveError<VaultErrorCode> {
  readonly status?: number;
  readonly errors?: readonly string[];
  readonly requestId?: string;
  readonly retryAfterMs?: number;
  /** False when the server surely did not carry the request out, so that even a login may be repeated. */
  readonly maybeExecuted: boolean;
  /** Only with `timeout`. */
  readonly phase?: TimeoutPhase;

  constructor(code: VaultErrorCode, message: string, details: VaultErrorDetails = {}) {
    super(code, message, details);
    if (details.status !== undefined) this.status = details.status;
    if (details.errors !== undefined) this.errors = details.errors;
    if (details.requestId !== undefined) this.requestId = details.requestId;
    if (details.retryAfterMs !== undefined) this.retryAfterMs = details.retryAfterMs;
    if (details.phase !== undefined) this.phase = details.phase;
    this.maybeExecuted = details.maybeExecuted ?? true;
  }
}

export function isVaultError(error: unknown, code?: VaultErrorCode): error is VaultError {
  return error instanceof VaultError && (code === undefined || error.code === code);
}
