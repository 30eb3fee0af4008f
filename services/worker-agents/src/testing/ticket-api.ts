import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AUDIENCES, claimRequest, holderRequest, SPIFFE_IDS, TRUST_DOMAIN } from '@neural-hive/contracts';
import { httpsServer } from '@neural-hive/security/http';
import { matchId, parseJwtSvidInsecure, verifyJwtSvid } from '@neural-hive/security/spiffe';
import { CertificateAuthority, FixedIdentity } from '@neural-hive/security/testing';
import { peerSpiffeId } from '@neural-hive/security/tls';
import { pathOf, readBody, sendError, sendJson } from '@neural-hive/service-runtime';
import { orchestratorDispatcher } from '../adapters/kafka/orchestrator-dispatcher.ts';
import { TicketClaims, type TicketClaimsOptions } from '../adapters/kafka/ticket-claims.ts';
import type { ClaimTable } from './claim-table.ts';

export interface TicketApi {
  readonly url: string;
  /** Calls it has answered, by the last part of the path. */
  readonly calls: ReadonlyMap<string, number>;
  /** From now on it answers with this status; undefined: as it should. */
  fail(status: number | undefined): void;
  /** A worker's client. */
  claims(options?: Partial<TicketClaimsOptions>): TicketClaims;
  close(): Promise<void>;
}

/** The orchestrator's ticket API over HTTPS, with the identities of the platform: the worker's, and nobody else's. */
export async function startTicketApi(table: ClaimTable): Promise<TicketApi> {
  const authority = CertificateAuthority.create(TRUST_DOMAIN);
  const identity = FixedIdentity.issue(authority, SPIFFE_IDS.orchestrator);
  const calls = new Map<string, number>();
  let status: number | undefined;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [, id = '', action = ''] = /^\/v1\/tickets\/([^/]+)\/(claim|heartbeat|release)$/.exec(pathOf(request)) ?? [];
    const body: unknown = JSON.parse((await readBody(request, 10_000)) ?? '');
    calls.set(action, (calls.get(action) ?? 0) + 1);
    if (status !== undefined) return sendError(response, status, 'unavailable', 'as the test wants it');
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const bundles = { getJwtBundle: () => authority.jwtBundle() };
    verifyJwtSvid(token, { bundles, audience: AUDIENCES.orchestrator, leewaySeconds: 5 });
    if (peerSpiffeId(request.socket)?.toString() !== SPIFFE_IDS.worker) throw new Error('this is no worker');
    const ticketId = decodeURIComponent(id);
    if (action === 'claim') return sendJson(response, 200, table.claim(ticketId, claimRequest.parse(body)));
    const { fencing_token: fencing } = holderRequest.parse(body);
    sendJson(
      response,
      200,
      action === 'heartbeat' ? table.heartbeat(ticketId, fencing) : table.release(ticketId, fencing),
    );
  };
  const server = httpsServer({ identity, authorize: matchId(SPIFFE_IDS.worker) }, (request, response) => {
    answer(request, response).catch((error: Error) => sendError(response, 400, 'invalid', error.message));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const dispatchers: { destroy(): Promise<void> }[] = [];
  return {
    url,
    calls,
    fail: (next) => {
      status = next;
    },
    claims: (options = {}) => {
      const { dispatcher, close } = orchestratorDispatcher({
        identity: FixedIdentity.issue(authority, SPIFFE_IDS.worker),
        tokens: {
          fetchJwtSvid: async ({ audience }) =>
            parseJwtSvidInsecure(authority.issueJwtSvid({ id: SPIFFE_IDS.worker, audience, ttlSeconds: 300 })),
        },
      });
      dispatchers.push({ destroy: close });
      return new TicketClaims({ url, dispatcher, ...options });
    },
    close: async () => {
      await Promise.all(dispatchers.map((dispatcher) => dispatcher.destroy()));
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
