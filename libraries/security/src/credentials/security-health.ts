import { type Clock, messageOf, systemClock } from '../common/index.ts';
import type { SourceHealth } from '../spiffe/index.ts';
import type { LeaseEnding, LeaseInfo, VaultHealth } from '../vault/index.ts';

/** Everything that security hangs on, in one answer. */
export interface SecurityHealth {
  /**
   * `healthy`: all of it holds and is being renewed. `degraded`: all of it still holds, and something cannot be renewed.
   * `unhealthy`: something has ended or is missing.
   */
  readonly state: 'healthy' | 'degraded' | 'unhealthy';
  /** One line for each thing that is wrong; no secret. */
  readonly reasons: readonly string[];
  /** Until the first of what cannot be renewed ends; 0 when it has. In milliseconds, undefined when `healthy`. */
  readonly msLeft: number | undefined;
}

export interface SecurityHealthParts {
  /** A `VaultClient`, or a `FailOpen`'s: undefined there means that Vault is missing. */
  readonly vault?: { health(options?: { signal?: AbortSignal }): Promise<VaultHealth> } | undefined;
  /** Whether a missing `vault` is a failure. Default false: the service has none. */
  readonly vaultExpected?: boolean;
  readonly leases?: { list(): readonly LeaseInfo[] };
  /** `RotatingCredential`s. */
  readonly credentials?: readonly {
    readonly name: string;
    readonly lastError: unknown;
    current(): { readonly expiresAtMs: number };
  }[];
  /** `X509Source`, `JwtSource`, by the name that is shown. */
  readonly identities?: Readonly<Record<string, { health(): SourceHealth }>>;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

interface Finding {
  readonly reason: string;
  readonly endsAtMs: number;
}

/** With these nothing went wrong: leases are replaced in the course of their life. */
const REGULAR: ReadonlySet<LeaseEnding> = new Set(['due', 'max-ttl', 'token-replaced']);

/** Asks the Vault server, looks at the rest; never rejects. */
export async function securityHealth(parts: SecurityHealthParts): Promise<SecurityHealth> {
  const { vault, vaultExpected = false, leases, credentials = [], identities = {}, clock = systemClock } = parts;
  const nowMs = clock.now();
  const findings: Finding[] = [];
  if (vault !== undefined) {
    const health = await vault.health(parts.signal === undefined ? {} : { signal: parts.signal });
    findings.push(...vaultFindings(health));
  } else if (vaultExpected) {
    findings.push({ reason: 'vault: it cannot be used', endsAtMs: nowMs });
  }
  findings.push(...leaseFindings(leases?.list() ?? []));
  for (const credential of credentials) findings.push(...credentialFindings(credential, nowMs));
  for (const [name, identity] of Object.entries(identities))
    findings.push(...identityFindings(name, identity.health()));
  if (findings.length === 0) return { state: 'healthy', reasons: [], msLeft: undefined };
  const msLeft = Math.max(0, Math.min(...findings.map(({ endsAtMs }) => endsAtMs)) - nowMs);
  const state = msLeft > 0 ? 'degraded' : 'unhealthy';
  return { state, reasons: findings.map(({ reason }) => reason), msLeft };
}

/** A server that is away ends nothing: the token holds until its own end. */
function* vaultFindings({ state, server, breaker, tokenExpiresAtMs, lastError }: VaultHealth): Generator<Finding> {
  const found = (reason: string): Finding => ({ reason: `vault: ${reason}`, endsAtMs: tokenExpiresAtMs });
  if (server === undefined) yield found(`the server cannot be asked${lastError === undefined ? '' : `: ${lastError}`}`);
  else if (!server.initialized || server.sealed) yield found(server.sealed ? 'it is sealed' : 'it is not initialized');
  else if (breaker !== 'closed') yield found(`the breaker is ${breaker}`);
  else if (lastError !== undefined) yield found(`the latest renewal or login failed: ${lastError}`);
  else if (state !== 'healthy') yield found('the token has ended');
}

function* leaseFindings(leases: readonly LeaseInfo[]): Generator<Finding> {
  for (const { leaseId, ending, failedRenewals = 0, expiresAtMs: endsAtMs } of leases) {
    if (ending !== undefined && !REGULAR.has(ending)) yield { reason: `lease ${leaseId}: ${ending}`, endsAtMs };
    else if (failedRenewals > 0) yield { reason: `lease ${leaseId}: ${failedRenewals} renewals failed`, endsAtMs };
  }
}

function* credentialFindings(
  credential: NonNullable<SecurityHealthParts['credentials']>[number],
  nowMs: number,
): Generator<Finding> {
  const { name, lastError } = credential;
  let endsAtMs = 0;
  try {
    endsAtMs = credential.current().expiresAtMs;
  } catch (error) {
    yield { reason: `credential ${name}: ${messageOf(error)}`, endsAtMs };
    return;
  }
  if (endsAtMs <= nowMs) yield { reason: `credential ${name}: it has ended`, endsAtMs };
  else if (lastError !== undefined) yield { reason: `credential ${name}: ${messageOf(lastError)}`, endsAtMs };
}

function* identityFindings(name: string, { state, lastError, expiresAtMs }: SourceHealth): Generator<Finding> {
  if (state === 'healthy') return;
  const why = lastError === undefined ? state : lastError.message;
  yield { reason: `identity ${name}: ${why}`, endsAtMs: state === 'unhealthy' ? 0 : expiresAtMs };
}
