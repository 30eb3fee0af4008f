import { expect, test } from 'vitest';
import { sumOfMetric } from './metrics-text.ts';
import { type JobReport, rotationTotals, shortcomings, thinRotations } from './report.ts';

const rotation = { name: 'database', operationsDuring: 60, failed: 0, retried: 1, maxStallMs: 12.4, terminated: 2 };

test('rotations of all services are added up, and the longest stall counts', () => {
  const totals = rotationTotals([
    { credentials: [], rotations: [{ ...rotation, reason: 'forced' }] },
    { credentials: [], rotations: [{ ...rotation, reason: 'due', maxStallMs: 80 }] },
  ]);
  expect(totals).toEqual({
    total: 2,
    forced: 1,
    due: 1,
    operationsDuring: 120,
    failedOperations: 0,
    retriedOperations: 2,
    maxStallMs: 80,
    sessionsTerminated: 4,
  });
});

test('a good run has no shortcoming, and each kind of bad run is named', () => {
  const good: JobReport = {
    adapters: {
      secrets: 'dev authority',
      login: 'JWT-SVID',
      identity: 'dev authority',
      workflow: 'reducer over PostgreSQL',
      tickets: 'rows of PostgreSQL',
      plans: 'PostgreSQL',
      registry: 'memory',
      database: 'PostgreSQL 18',
    },
    plan: { id: 'p', status: 'COMPLETED' },
    tickets: [],
    credentials: [],
    rotations: rotationTotals([{ credentials: [], rotations: [{ ...rotation, reason: 'forced' }] }]),
    authentication: { allowed: 1, denied: 0 },
    startup: { readyMs: 1 },
    memory: { proportionalBytes: 1 },
    leftovers: { roles: 0, sessions: 0, leases: 0, processes: 0 },
  };
  expect(shortcomings(good)).toEqual([]);
  expect(shortcomings({ ...good, plan: { id: 'p', status: 'FAILED' } })).toEqual(['plan p ended FAILED']);
  expect(shortcomings({ ...good, leftovers: { roles: 2, sessions: 0, leases: 0, processes: 0 } })).toEqual([
    '2 roles left behind',
  ]);
  expect(shortcomings({ ...good, rotations: rotationTotals([]) })).toEqual(['no credential was rotated']);
});

test('a metric is summed over the samples that carry the label', () => {
  const text =
    'a_total{m="x",status="allowed"} 3\na_total{m="y",status="allowed"} 4\na_total{m="y",status="denied"} 9\nab_total 1\n';
  expect(sumOfMetric(text, 'a_total', { status: 'allowed' })).toBe(7);
  expect(sumOfMetric(text, 'a_total')).toBe(16);
});

test('a rotation that too few operations met is named', () => {
  const of = (operationsDuring: number) => [
    { credentials: [], rotations: [{ ...rotation, reason: 'due', operationsDuring }] },
  ];
  expect(thinRotations(of(50))).toEqual([]);
  expect(thinRotations(of(49))).toEqual(['only 49 operations met a rotation of database']);
});
