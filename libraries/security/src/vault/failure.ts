import { VaultError, type VaultErrorCode } from './errors.ts';

const RETRYABLE = new Set<VaultErrorCode>([
  'not-consistent',
  'rate-limited',
  'sealed',
  'standby',
  'uninitialized',
  'unavailable',
  'timeout',
  'deadline-exceeded',
  'network',
  'breaker-open',
]);

const HINTS: Partial<Record<VaultErrorCode, string>> = {
  'permission-denied': 'give the role a policy with this capability',
  'cas-mismatch': 'read the current version and write again',
  sealed: 'unseal the server',
  uninitialized: 'initialise the server',
  tls: "check that the server's certificate is issued by the configured CA for this address",
  network: 'check the address and that the server runs',
  'redirect-refused': 'configure the address it points to, or allow it in redirectAddresses',
};

/** A finished failure: message, whether to try again, and nothing secret. */
export function vaultFailure(
  code: VaultErrorCode,
  attempted: string,
  rule: string,
  details: ConstructorParameters<typeof VaultError>[2] = {},
): VaultError {
  const hint = HINTS[code];
  return new VaultError(code, `${attempted}: ${rule}${hint === undefined ? '' : `; ${hint}`}`, {
    retryable: RETRYABLE.has(code),
    ...details,
  });
}

function codeOf(status: number, errors: readonly string[]): VaultErrorCode {
  const text = errors.join('\n').toLowerCase();
  switch (status) {
    case 400:
      if (text.includes('check-and-set')) return 'cas-mismatch';
      if (/lease not found|lease expired|invalid lease/.test(text)) return 'lease-not-found';
      return 'invalid-request';
    case 401:
    case 403:
      return 'permission-denied';
    case 404:
      return 'not-found';
    case 405:
      return 'unsupported-operation';
    case 412:
      return 'not-consistent';
    case 413:
      return 'request-too-large';
    case 429:
      return 'rate-limited';
    case 472:
    case 473:
    case 474:
      return 'standby';
    case 501:
      return 'uninitialized';
    case 503:
      if (text.includes('not initialized')) return 'uninitialized';
      if (text.includes('sealed')) return 'sealed';
      return text.includes('standby') ? 'standby' : 'unavailable';
    default:
      return status >= 500 ? 'unavailable' : 'invalid-request';
  }
}

/** Answers after which the server surely did nothing. */
const NOT_EXECUTED = new Set<VaultErrorCode>(['not-consistent', 'rate-limited', 'sealed', 'standby', 'uninitialized']);

/** What an error status means. Vault's own texts are kept: they name rules and paths, not secrets. */
export function failureOfStatus(
  status: number,
  errors: readonly string[],
  attempted: string,
  details: { requestId?: string | undefined; retryAfterMs?: number | undefined },
): VaultError {
  const code = codeOf(status, errors);
  const said = errors.length === 0 ? '' : ` (${errors.join('; ').slice(0, 400)})`;
  return vaultFailure(code, attempted, `the server answered ${status}${said}`, {
    status,
    errors,
    maybeExecuted: !NOT_EXECUTED.has(code),
    ...details,
  });
}

/** `Retry-After` in whole seconds; Vault does not send the date form. */
export function parseRetryAfterMs(header: string | string[] | undefined): number | undefined {
  const text = Array.isArray(header) ? header[0] : header;
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) * 1_000 : undefined;
}

const BEFORE_SENDING = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOENT']);
const TLS_CODE = /^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_|ERR_SSL_|EPROTO|HOSTNAME_MISMATCH|INVALID_CA)/;

/** What a thrown transport error means. */
export function failureOfTransport(error: unknown, attempted: string): VaultError {
  if (error instanceof VaultError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (TLS_CODE.test(code)) {
    return vaultFailure('tls', attempted, `the TLS handshake failed (${code})`, { cause: error, maybeExecuted: false });
  }
  if (code === 'UND_ERR_CONNECT_TIMEOUT') {
    return vaultFailure('timeout', attempted, 'no connection within the time limit', {
      cause: error,
      maybeExecuted: false,
      phase: 'connect',
    });
  }
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    const phase = code === 'UND_ERR_HEADERS_TIMEOUT' ? 'headers' : 'body';
    const what = phase === 'headers' ? 'no answer' : 'the answer stopped coming, and nothing more came';
    return vaultFailure('timeout', attempted, `${what} within the time limit`, { cause: error, phase });
  }
  const details = { cause: error, maybeExecuted: !BEFORE_SENDING.has(code) };
  return vaultFailure('network', attempted, `the connection failed${code === '' ? '' : ` (${code})`}`, details);
}
