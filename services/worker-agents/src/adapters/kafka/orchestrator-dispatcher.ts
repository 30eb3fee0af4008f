import { AUDIENCES, SPIFFE_IDS } from '@neural-hive/contracts';
import { type JwtSvidFetcher, jwtSvidInterceptor, spiffeAgent } from '@neural-hive/security/http';
import { matchId } from '@neural-hive/security/spiffe';
import type { X509Identity } from '@neural-hive/security/tls';
import type { Dispatcher } from 'undici';

/** An SVID is replaced long before this, and the connections follow. */
const MAX_AGE_MS = 300_000;
const CONNECTIONS = 16;

/** To the orchestrator only, with the worker's X509-SVID and its JWT-SVID for the orchestrator. */
export function orchestratorDispatcher(options: { readonly identity: X509Identity; readonly tokens: JwtSvidFetcher }): {
  readonly dispatcher: Dispatcher;
  close(): Promise<void>;
} {
  const agent = spiffeAgent({
    identity: options.identity,
    authorize: matchId(SPIFFE_IDS.orchestrator),
    maxAgeMs: MAX_AGE_MS,
    connectTimeoutMs: 2_000,
    agent: { connections: CONNECTIONS },
  });
  const dispatcher = agent.compose(jwtSvidInterceptor(options.tokens, AUDIENCES.orchestrator));
  return { dispatcher, close: () => agent.destroy() };
}
