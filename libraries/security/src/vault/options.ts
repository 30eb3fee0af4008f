import { type Clock, type Random, systemClock } from '../common/index.ts';
import { parseAddress } from './address.ts';
import type { VaultAuth } from './auth/auth.ts';
import { type Logger, silentLogger, type VaultMetrics, vaultReport } from './observe.ts';
import type { CaSource } from './transport.ts';

export interface VaultClientOptions {
  /** `https://host:port`; `http` for the loopback interface only. */
  readonly address: string;
  /** The server's CA: PEM, or a file that is read anew for each connection. Default: the system's. */
  readonly ca?: CaSource;
  readonly namespace?: string;
  readonly auth: VaultAuth;
  /**
   * Other addresses of the same cluster, to which a standby may redirect; the token is sent there too. A redirect to
   * any other is refused. Default: none.
   */
  readonly redirectAddresses?: readonly string[];
  /** For one attempt, answer included. In milliseconds, 1 to 600 000; default 10 000. */
  readonly requestTimeoutMs?: number;
  /** For one connection, TLS handshake included. In milliseconds, 1 to 600 000; default 5 000. */
  readonly connectTimeoutMs?: number;
  /** From a request to the head of its answer. In milliseconds, 0 to 600 000; default 0: `requestTimeoutMs` alone. */
  readonly headersTimeoutMs?: number;
  /** Between two parts of an answer. In milliseconds, 0 to 600 000; default 0: `requestTimeoutMs` alone. */
  readonly bodyTimeoutMs?: number;
  /** For a whole call, repetitions and waits included. In milliseconds, 1 to 3 600 000; default 60 000. */
  readonly callTimeoutMs?: number;
  /** Repetitions after the first attempt, where repeating is safe. 0 to 10; default 3. */
  readonly maxRetries?: number;
  /** Connections at most. 1 to 256; default 8. */
  readonly connections?: number;
  /** Of one answer. In bytes, from 1 024; default 8 MiB. */
  readonly maxResponseBytes?: number;
  /** Failures in a row that open the breaker. 1 to 1 000; default 5. */
  readonly breakerThreshold?: number;
  /** How long an open breaker waits first; doubles up to ten times this. In milliseconds, from 1; default 500. */
  readonly breakerPauseMs?: number;
  /** How long `open` keeps trying to log in while the server cannot be reached. In milliseconds; default 30 000. */
  readonly openTimeoutMs?: number;
  /** What must be left of a token when it is replaced, for re-leasing and draining. In milliseconds; default 15 000. */
  readonly handOverMs?: number;
  /** The longest wait between failed logins. In milliseconds, from 200; default 30 000. */
  readonly loginBackoffCapMs?: number;
  /** How long `close` tries to revoke. In milliseconds; default 5 000. */
  readonly closeTimeoutMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly metrics?: VaultMetrics;
  readonly logger?: Logger;
  /** Aborts the opening; a client that is open is closed with `close` or `destroy`. */
  readonly signal?: AbortSignal;
}

export interface ResolvedVaultOptions {
  readonly address: URL;
  readonly ca: CaSource | undefined;
  readonly namespace: string | undefined;
  readonly auth: VaultAuth;
  /** Origins. */
  readonly redirectOrigins: readonly string[];
  readonly requestTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  readonly callTimeoutMs: number;
  readonly maxRetries: number;
  readonly connections: number;
  readonly maxResponseBytes: number;
  readonly breakerThreshold: number;
  readonly breakerPauseMs: number;
  readonly openTimeoutMs: number;
  readonly handOverMs: number;
  readonly loginBackoffCapMs: number;
  readonly closeTimeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Required<VaultMetrics>;
  readonly logger: Logger;
}

/** Throws a `TypeError` or `RangeError` that names the option. */
export function resolveOptions(options: VaultClientOptions): ResolvedVaultOptions {
  if (typeof options.auth?.login !== 'function')
    throw new TypeError('auth: must come from kubernetesAuth, jwtAuth, certAuth, appRoleAuth or tokenAuth');
  return {
    address: parseAddress(options.address),
    ca: options.ca,
    namespace: options.namespace === undefined || options.namespace === '' ? undefined : options.namespace,
    auth: options.auth,
    redirectOrigins: (options.redirectAddresses ?? []).map(
      (address) => parseAddress(address, 'redirectAddresses').origin,
    ),
    requestTimeoutMs: whole(options.requestTimeoutMs, 'requestTimeoutMs', 10_000, 1, 600_000),
    connectTimeoutMs: whole(options.connectTimeoutMs, 'connectTimeoutMs', 5_000, 1, 600_000),
    headersTimeoutMs: whole(options.headersTimeoutMs, 'headersTimeoutMs', 0, 0, 600_000),
    bodyTimeoutMs: whole(options.bodyTimeoutMs, 'bodyTimeoutMs', 0, 0, 600_000),
    callTimeoutMs: whole(options.callTimeoutMs, 'callTimeoutMs', 60_000, 1, 3_600_000),
    maxRetries: whole(options.maxRetries, 'maxRetries', 3, 0, 10),
    connections: whole(options.connections, 'connections', 8, 1, 256),
    maxResponseBytes: whole(options.maxResponseBytes, 'maxResponseBytes', 8 * 1024 * 1024, 1_024, 2 ** 30),
    breakerThreshold: whole(options.breakerThreshold, 'breakerThreshold', 5, 1, 1_000),
    breakerPauseMs: whole(options.breakerPauseMs, 'breakerPauseMs', 500, 1, 600_000),
    openTimeoutMs: whole(options.openTimeoutMs, 'openTimeoutMs', 30_000, 0, 3_600_000),
    handOverMs: whole(options.handOverMs, 'handOverMs', 15_000, 0, 3_600_000),
    loginBackoffCapMs: whole(options.loginBackoffCapMs, 'loginBackoffCapMs', 30_000, 200, 3_600_000),
    closeTimeoutMs: whole(options.closeTimeoutMs, 'closeTimeoutMs', 5_000, 0, 600_000),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    metrics: vaultReport(options.metrics),
    logger: options.logger ?? silentLogger,
  };
}

function whole(value: number | undefined, option: string, fallback: number, min: number, max: number): number {
  if (value === undefined) return fallback;
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${option}: must be a whole number from ${min} to ${max}`);
  }
  return value;
}
