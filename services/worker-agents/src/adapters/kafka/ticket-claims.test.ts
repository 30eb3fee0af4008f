import { afterAll, beforeAll, expect, test } from 'vitest';
import { ClaimTable } from '../../testing/claim-table.ts';
import { startTicketApi, type TicketApi } from '../../testing/ticket-api.ts';
import { ticketOf } from '../../testing/tickets.ts';
import { TicketClaims } from './ticket-claims.ts';

const table = new ClaimTable();
let api: TicketApi;

beforeAll(async () => {
  api = await startTicketApi(table);
});
afterAll(() => api?.close());

const request = { agent_id: 'agent-1', retry_count: 0 };

test('a ticket is claimed, kept and handed back by a worker that shows who it is', async () => {
  const claims = api.claims({ limitMs: 20_000 });
  table.published(ticketOf({ task_type: 'BUILD', ticket_id: 'a' }));
  const granted = await claims.claim('a', request);
  expect(granted).toMatchObject({ outcome: 'granted', attempt: 1 });
  const fencing = granted.outcome === 'granted' ? granted.fencing_token : 0;
  expect(await claims.claim('a', request)).toMatchObject({ outcome: 'held' });
  expect(await claims.heartbeat('a', fencing)).toEqual({ outcome: 'held' });
  expect(await claims.heartbeat('a', fencing + 1)).toEqual({ outcome: 'lost' });
  expect(await claims.release('a', fencing)).toEqual({ outcome: 'released' });
  expect(await claims.claim('a', { ...request, retry_count: 1 })).toEqual({ outcome: 'gone' });
  expect(await claims.claim('../b', request)).toEqual({ outcome: 'gone' });
});

test('while the orchestrator is away the call is repeated, until its limit', async () => {
  table.published(ticketOf({ task_type: 'BUILD', ticket_id: 'away' }));
  const statuses: string[] = [];
  const claims = api.claims({
    limitMs: 20_000,
    onCall: (_, status) => {
      statuses.push(status);
      if (statuses.length === 2) api.fail(undefined);
    },
  });
  api.fail(503);
  expect(await claims.claim('away', request)).toMatchObject({ outcome: 'granted' });
  expect(statuses).toEqual(['failure', 'failure', 'success']);
  api.fail(503);
  const late = api.claims({ limitMs: 300 }).claim('away', request);
  await expect(late).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  api.fail(undefined);
});

test('a refusal is told at once, and is no answer about the ticket', async () => {
  let calls = 0;
  const claims = api.claims({ limitMs: 20_000, onCall: () => (calls += 1) });
  for (const status of [401, 403, 404, 409]) {
    api.fail(status);
    await expect(claims.claim('a', request)).rejects.toMatchObject({ code: 'refused', retryable: true });
  }
  api.fail(200);
  await expect(claims.claim('a', request)).rejects.toMatchObject({ code: 'bad-answer' });
  api.fail(undefined);
  expect(calls).toBe(5);
});

test('nobody is asked without TLS', () => {
  expect(() => new TicketClaims({ url: 'http://127.0.0.1', dispatcher: undefined as never })).toThrow('must be https');
});
