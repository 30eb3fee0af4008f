import { AUDIENCES, SPIFFE_IDS, TICKET_PATHS } from '@neural-hive/contracts';
import { CertificateAuthority } from '@neural-hive/security/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PlanEngine } from '../ports/plan-engine.ts';
import type { TicketClaims } from '../ports/ticket-desk.ts';
import { ApiFixture, type Credentials } from '../testing/api-fixture.ts';

const calls: unknown[] = [];
const claims: TicketClaims = {
  async claim(ticketId, claimant) {
    calls.push({ claim: ticketId, ...claimant });
    return { outcome: 'granted', fencing_token: 7, attempt: 2 };
  },
  async heartbeat(ticketId, holder) {
    calls.push({ heartbeat: ticketId, ...holder });
    return { outcome: 'held' };
  },
  async release(ticketId, holder) {
    calls.push({ release: ticketId, ...holder });
    return { outcome: 'released' };
  },
};
/** Nothing here asks about plans. */
const engine = {} as PlanEngine;

let api: ApiFixture;
beforeAll(async () => {
  api = await ApiFixture.open(engine, {}, claims);
});
beforeEach(() => {
  calls.length = 0;
});
afterAll(() => api?.close());

const TICKET = 'tkt-0123456789abcdef';
const CLAIM = { agent_id: 'agent-1', retry_count: 1 };
const HOLDER = { fencing_token: 7 };
const { worker } = SPIFFE_IDS;
const asWorker = (): Credentials => ({ token: api.tokenOf({ id: worker }) });

test('a worker claims, keeps and hands back a ticket under the identity that it proved', async () => {
  const claimed = await api.call('POST', TICKET_PATHS.claim(TICKET), asWorker(), CLAIM);
  expect(claimed).toEqual({ status: 200, body: { outcome: 'granted', fencing_token: 7, attempt: 2 } });
  const kept = await api.call('POST', TICKET_PATHS.heartbeat(TICKET), { svid: worker }, HOLDER);
  expect(kept).toEqual({ status: 200, body: { outcome: 'held' } });
  const given = await api.call('POST', TICKET_PATHS.release(TICKET), { svid: worker }, HOLDER);
  expect(given).toEqual({ status: 200, body: { outcome: 'released' } });
  expect(calls).toEqual([
    { claim: TICKET, agentId: 'agent-1', retryCount: 1, spiffeId: worker },
    { heartbeat: TICKET, fencingToken: 7, spiffeId: worker },
    { release: TICKET, fencingToken: 7, spiffeId: worker },
  ]);
});

describe('item 44: nobody but a worker gets at a ticket, and nothing is told to who asks', () => {
  const others: [string, () => Credentials, number][] = [
    ['nobody', () => ({}), 401],
    ['the operator, who may do everything with plans', () => api.operator, 403],
    ['the registry', () => ({ svid: SPIFFE_IDS.registry }), 403],
    [
      'a worker with a token for another service',
      () => ({ token: api.tokenOf({ id: worker, audience: AUDIENCES.registry }) }),
      401,
    ],
    ['a worker with a token that has ended', () => ({ token: api.tokenOf({ id: worker, ttlSeconds: -60 }) }), 401],
    [
      'a worker of another authority',
      () => ({
        token: CertificateAuthority.create('neural-hive.local').issueJwtSvid({
          id: worker,
          audience: AUDIENCES.orchestrator,
          ttlSeconds: 60,
        }),
      }),
      401,
    ],
  ];
  test.each(others)('%s', async (_, credentials, status) => {
    for (const [path, body] of [
      [TICKET_PATHS.claim(TICKET), CLAIM],
      [TICKET_PATHS.heartbeat(TICKET), HOLDER],
      [TICKET_PATHS.release(TICKET), HOLDER],
    ] as const) {
      const answer = await api.call('POST', path, credentials(), body);
      expect(answer.status).toBe(status);
      expect(JSON.stringify(answer.body)).not.toContain('outcome');
    }
    expect(calls).toEqual([]);
  });

  test('a worker gets at tickets and at nothing else', async () => {
    for (const path of ['/api/v1/plans', '/api/v1/telemetry', '/api/v1/dead-letters']) {
      expect((await api.call('GET', path, asWorker())).status).toBe(403);
    }
  });
});

test('a request that is not as agreed is refused with every problem, and asks the desk nothing', async () => {
  const wrong = await api.call('POST', TICKET_PATHS.claim(TICKET), asWorker(), {
    agent_id: '',
    retry_count: -1,
    as: 1,
  });
  expect(wrong.status).toBe(400);
  expect(wrong.body.error.problems.length).toBeGreaterThanOrEqual(2);
  const path = TICKET_PATHS.heartbeat(TICKET);
  expect((await api.call('POST', path, asWorker(), { fencing_token: '7' })).status).toBe(400);
  expect((await api.call('POST', path, asWorker())).status).toBe(400);
  expect((await api.call('POST', TICKET_PATHS.heartbeat('../x'), asWorker(), HOLDER)).status).toBe(404);
  expect(calls).toEqual([]);
});

test('where tickets travel otherwise there is no such route', async () => {
  const without = await ApiFixture.open(engine);
  const answer = await without.call(
    'POST',
    TICKET_PATHS.claim(TICKET),
    { token: without.tokenOf({ id: worker }) },
    CLAIM,
  );
  expect(answer.status).toBe(404);
  await without.close();
});
