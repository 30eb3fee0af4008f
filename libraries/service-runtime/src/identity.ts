import {
  FileSource,
  type FileSourceOptions,
  JwtSource,
  openWithFallback,
  type SpiffeMetrics,
  WorkloadApiClient,
  X509Source,
} from '@neural-hive/security/spiffe';
import type { Logger } from './logger.ts';
import { withResources } from './resource-stack.ts';

export interface IdentityOptions {
  /** `unix:///path` or `tcp://ip:port`; default: the environment's `SPIFFE_ENDPOINT_SOCKET`. */
  readonly endpoint?: string | undefined;
  /** How long the start waits for the first SVID. In milliseconds; default 10 000. */
  readonly initialSyncTimeoutMs?: number;
  /** How long an SVID stays in use after the agent denied it. In milliseconds; default 0. */
  readonly deniedGraceMs?: number;
  /** Files or variables to use when no agent is there; outside production only. Default: none. */
  readonly fallback?: FileSourceOptions | undefined;
  readonly metrics?: SpiffeMetrics | undefined;
  readonly logger?: Logger;
  /** Aborts the opening. */
  readonly signal?: AbortSignal;
}

/** Who a service is: its live X509-SVID and its JWT-SVIDs, both from one agent, or from one `FileSource`. */
export interface ServiceIdentity {
  readonly x509: X509Source | FileSource;
  readonly jwt: JwtSource | FileSource;
  /** The same for the probes, by the name that is shown. */
  readonly sources: Readonly<Record<string, X509Source | JwtSource | FileSource>>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Resolves once the first X509-SVID and the JWT bundles are there; rejects with the `SpiffeError` of what is not. */
export async function openIdentity(options: IdentityOptions = {}): Promise<ServiceIdentity> {
  const { fallback, metrics, logger, signal } = options;
  if (fallback === undefined) return openAgent(options);
  const opened = await openWithFallback(() => openAgent(options), {
    ...fallback,
    ...(metrics !== undefined && { metrics }),
    ...(logger !== undefined && { logger }),
    signal,
  });
  if (!(opened instanceof FileSource)) return opened;
  return { x509: opened, jwt: opened, sources: { fallback: opened }, close: () => opened.close() };
}

function openAgent(options: IdentityOptions): Promise<ServiceIdentity> {
  const { endpoint, metrics, signal, initialSyncTimeoutMs, deniedGraceMs } = options;
  return withResources(async (resources) => {
    const client = resources.use(new WorkloadApiClient({ endpoint }));
    const shared = {
      client,
      signal,
      ...(metrics !== undefined && { metrics }),
      ...(initialSyncTimeoutMs !== undefined && { initialSyncTimeoutMs }),
      ...(deniedGraceMs !== undefined && { deniedGraceMs }),
    };
    const x509 = resources.use(await X509Source.open(shared));
    const jwt = resources.use(await JwtSource.open(shared));
    return { x509, jwt, sources: { x509, jwt }, close: () => resources.close() };
  });
}
