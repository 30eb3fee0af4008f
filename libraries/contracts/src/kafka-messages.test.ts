import { expect, test } from 'vitest';
import { deadMessage, resultAddress, type UnreadableMessage } from './index.ts';

const unreadable: UnreadableMessage = {
  kind: 'unreadable',
  reason: 'not-json',
  problem: 'the value is no JSON',
  source: { topic: 'execution.tickets.build', partition: 3, offset: '9223372036854775807', timestamp: 1 },
  key: null,
  bytes: 1,
  sha256: 'a'.repeat(64),
  value: 'eA==',
  moved_at: 2,
  moved_by: 'worker-agents',
  schema_version: 1,
};

test('a message that could not be read is told apart from a ticket that was given up', () => {
  expect(deadMessage.parse(unreadable)).toEqual(unreadable);
  const givenUp = {
    kind: 'given-up',
    ticket_id: 't',
    plan_id: 'p',
    task_id: 'a',
    task_type: 'BUILD',
    compensates: null,
    error_class: 'timeout',
    error_message: '',
    error_logs: [],
    attempts: 1,
    takeovers: 0,
    agent_id: null,
    given_up_at: 1,
    schema_version: 1,
  };
  expect(deadMessage.parse(givenUp)).toEqual(givenUp);
  expect(deadMessage.safeParse({ ...unreadable, kind: 'given-up' }).success).toBe(false);
});

test('an offset keeps all its 64 bits', () => {
  expect(deadMessage.parse(unreadable)).toMatchObject({ source: { offset: '9223372036854775807' } });
  expect(deadMessage.safeParse({ ...unreadable, source: { ...unreadable.source, offset: '-1' } }).success).toBe(false);
});

test('a result is addressed though the rest of it is wrong, and not by a schema that is unknown', () => {
  const address = { ticket_id: 't', plan_id: 'p', fencing_token: 3, status: 7 };
  expect(resultAddress.parse(address)).toEqual({ ...address, schema_version: 1 });
  expect(resultAddress.safeParse({ ...address, schema_version: 2 }).success).toBe(false);
  expect(resultAddress.safeParse({ ...address, fencing_token: '3' }).success).toBe(false);
});
