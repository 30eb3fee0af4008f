import { expect, test } from 'vitest';
import { CLAIM_SILENCE_MS, claimAnswer, claimRequest, heartbeatAnswer, holderRequest, TICKET_PATHS } from './index.ts';

test('every answer to a claim is told apart by its outcome', () => {
  for (const answer of [
    { outcome: 'granted', fencing_token: 7, attempt: 2 },
    { outcome: 'gone' },
    { outcome: 'held', retry_after_ms: CLAIM_SILENCE_MS },
  ]) {
    expect(claimAnswer.parse(answer)).toEqual(answer);
  }
});

test.each([
  ['no fencing token', { outcome: 'granted', attempt: 1 }],
  ['a fencing token of zero', { outcome: 'granted', fencing_token: 0, attempt: 1 }],
  ['a fencing token that a double cannot hold', { outcome: 'granted', fencing_token: 2 ** 53, attempt: 1 }],
  ['no time to wait', { outcome: 'held' }],
  ['an outcome of its own', { outcome: 'perhaps' }],
])('an answer with %s is refused', (_, answer) => {
  expect(claimAnswer.safeParse(answer).success).toBe(false);
});

test('a request says who asks for which attempt, and nothing else', () => {
  expect(claimRequest.parse({ agent_id: 'a', retry_count: 0 })).toEqual({ agent_id: 'a', retry_count: 0 });
  for (const wrong of [{ agent_id: 'a' }, { agent_id: '', retry_count: 0 }, { agent_id: 'a', retry_count: 0, x: 1 }]) {
    expect(claimRequest.safeParse(wrong).success).toBe(false);
  }
  expect(holderRequest.safeParse({ fencing_token: '1' }).success).toBe(false);
  expect(heartbeatAnswer.parse({ outcome: 'cancelled' })).toEqual({ outcome: 'cancelled' });
});

test('a ticket id cannot leave its place in the path', () => {
  expect(TICKET_PATHS.claim('t-1')).toBe('/v1/tickets/t-1/claim');
  expect(TICKET_PATHS.release('../plans?x')).toBe('/v1/tickets/..%2Fplans%3Fx/release');
});
