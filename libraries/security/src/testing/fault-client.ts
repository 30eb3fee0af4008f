import type { ServerResponse } from 'node:http';
import { tokenAuth, VaultClient, type VaultClientOptions } from '../vault/index.ts';
import { answerLookup, type FaultRequest, type FaultVault, reply } from './fault-vault.ts';

/** `count` is 1 for the first request that is no look-up of the token. */
export type FaultAnswer = (response: ServerResponse, count: number, request: FaultRequest) => void;

/** A client of `server`, open with a token that was handed in; from then on `answer` handles everything but its look-up. */
export async function openOnFault(
  server: FaultVault,
  answer: FaultAnswer,
  options: Partial<VaultClientOptions> = {},
): Promise<VaultClient> {
  let count = 0;
  server.handler = (request, response) => {
    if (request.path === '/v1/auth/token/lookup-self') return answerLookup(response);
    count += 1;
    answer(response, count, request);
  };
  const auth = tokenAuth({ token: 'hvs.handed-in' });
  // No jitter: repetitions follow at once.
  return VaultClient.open({ address: server.address, ca: server.caPem, auth, random: () => 0, ...options });
}

/** Version 3 of a KV secret. */
export function answerSecret(response: ServerResponse, headers: Record<string, string> = {}): void {
  const body = { request_id: 'r-1', data: { data: { a: 1 }, metadata: { version: 3, created_time: '' } } };
  reply(response, 200, body, headers);
}

/** The answer to a login. */
export function answerLogin(response: ServerResponse, token: string, ttlSeconds = 600): void {
  const auth = { client_token: token, accessor: token, lease_duration: ttlSeconds, renewable: true };
  reply(response, 200, { auth: { ...auth, token_type: 'service' } });
}
