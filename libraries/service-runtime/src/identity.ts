import { JwtSource, type SpiffeMetrics, WorkloadApiClient, X509Source } from '@neural-hive/security/spiffe';
import { withResources } from './resource-stack.ts';

export interface IdentityOptions {
  /** `unix:///path` or `tcp://ip:port`; default: the environment's `SPIFFE_ENDPOINT_SOCKET`. */
  readonly endpoint?: string | undefined;
  readonly metrics?: SpiffeMetrics | undefined;
  /** Aborts the opening. */
  readonly signal?: AbortSignal;
}

/** Who a service is: its live X509-SVID and its JWT-SVIDs, both from one agent. */
export interface ServiceIdentity {
  readonly x509: X509Source;
  readonly jwt: JwtSource;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Resolves once the first X509-SVID and the JWT bundles are there; rejects with the `SpiffeError` of what is not. */
export function openIdentity({ endpoint, metrics, signal }: IdentityOptions = {}): Promise<ServiceIdentity> {
  return withResources(async (resources) => {
    const client = resources.use(new WorkloadApiClient({ endpoint }));
    const options = { client, signal, ...(metrics !== undefined && { metrics }) };
    const x509 = resources.use(await X509Source.open(options));
    const jwt = resources.use(await JwtSource.open(options));
    return { x509, jwt, close: () => resources.close() };
  });
}
