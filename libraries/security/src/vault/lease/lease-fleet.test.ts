import { expect, test } from 'vitest';
import { simulateLeaseFleet } from '../../testing/lease-fleet.ts';

const MINUTE = 60_000;
const FLEET = { startMs: MINUTE, leaseMs: 60 * MINUTE, horizonMs: 180 * MINUTE };
const LONG_MS = 180_000;

test('a fleet that starts within a minute does not renew in step', { timeout: LONG_MS }, async () => {
  const report = await simulateLeaseFleet({ ...FLEET, clients: 4_000, seed: 1 });
  expect(report.renewals).toBeGreaterThan(2 * 4_000);
  expect(report).toMatchObject({ replaced: 0, lost: 0 });
  expect(report.ratio).toBeLessThanOrEqual(1.5);
});

test('nor does it come back in step after an authority was away for ten minutes', { timeout: LONG_MS }, async () => {
  const outage = { fromMs: 120 * MINUTE, toMs: 130 * MINUTE };
  const report = await simulateLeaseFleet({ ...FLEET, clients: 10_000, seed: 2, outage });
  expect(report.lost).toBe(0);
  expect(report.ratio).toBeLessThanOrEqual(3);
});
