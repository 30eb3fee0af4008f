import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { holdLeases, simulateLeaseFleet } from '@neural-hive/security/testing';

/** One line: a figure and what it must not exceed. */
export interface Bound {
  readonly name: string;
  readonly measured: number;
  readonly limit: number;
  readonly unit: string;
  readonly met: boolean;
}

const MINUTE = 60_000;
const FLEET = { clients: 10_000, startMs: MINUTE, leaseMs: 60 * MINUTE, horizonMs: 240 * MINUTE };

/** Peaks of a fleet, on a clock of its own, and what a hundred thousand leases cost one process, in real time. */
export async function* leaseResults(): AsyncGenerator<Bound> {
  const fleet = '10,000 clients started in a minute, leases of 1 h: renewals in any 60 s / the mean';
  const steady = await simulateLeaseFleet({ ...FLEET, seed: 1 });
  yield bound(fleet, steady.ratio, 1.5, '');
  const outage = { fromMs: 120 * MINUTE, toMs: 130 * MINUTE };
  const away = await simulateLeaseFleet({ ...FLEET, seed: 2, outage });
  yield bound(`${fleet}, with the authority away for 10 minutes`, away.ratio, 3, '');
  yield bound('leases that ended in that outage', away.lost, 0, 'leases');

  const held = await holdLeases({ leases: 100_000, leaseMs: 60_000, forMs: 50_000, memory: collected });
  yield bound('100,000 leases: memory of each', held.bytesPerLease, 1_024, 'bytes');
  yield bound('100,000 leases: timers of the process', held.timers, 1, 'timers');
  yield bound(`100,000 leases, ${held.renewals} renewals: p99 of their lag`, held.lagP99Ms, 250, 'ms');
}

function bound(name: string, measured: number, limit: number, unit: string): Bound {
  return { name, measured: Number(measured.toPrecision(4)), limit, unit, met: measured <= limit };
}

function collected(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  return process.memoryUsage().heapUsed;
}
