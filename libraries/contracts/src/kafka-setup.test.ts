import { expect, test } from 'vitest';
import { KAFKA_RIGHTS, KAFKA_TOPICS, TASK_TYPES, TOPICS } from './index.ts';

test('every topic that somebody has a right to is there, and everybody who is there is used', () => {
  const names = KAFKA_TOPICS.map(({ name }) => name);
  const used = Object.values(KAFKA_RIGHTS).flatMap((rights) =>
    rights.filter(({ resource }) => resource === 'topic').map(({ name }) => name),
  );
  expect(new Set(used)).toEqual(new Set(names));
  expect(new Set(names).size).toBe(names.length);
});

test('a worker may write no ticket and read no result, and the orchestrator the other way round', () => {
  const tickets = TASK_TYPES.map(TOPICS.tickets);
  const may = (service: keyof typeof KAFKA_RIGHTS, operation: 'READ' | 'WRITE', names: readonly string[]) =>
    KAFKA_RIGHTS[service].filter((right) => right.operation === operation && names.includes(right.name)).length;
  expect([may('worker-agents', 'READ', tickets), may('worker-agents', 'WRITE', tickets)]).toEqual([8, 0]);
  expect([may('orchestrator-dynamic', 'WRITE', tickets), may('orchestrator-dynamic', 'READ', tickets)]).toEqual([8, 0]);
  const results = [TOPICS.results];
  expect([may('worker-agents', 'READ', results), may('orchestrator-dynamic', 'WRITE', results)]).toEqual([0, 0]);
});
