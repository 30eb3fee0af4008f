import { Counter, Histogram, type Registry } from 'prom-client';
import type { SpiffeMetrics } from '../../spiffe/index.ts';

/** Counts the sources' fetches of SVIDs in `registry`. Call it once per registry. */
export function prometheusSpiffeMetrics(registry: Registry): SpiffeMetrics {
  const fetches = new Counter({
    name: 'spiffe_svid_fetch_total',
    help: 'SVIDs fetched from the Workload API or pushed by it',
    labelNames: ['svid_type', 'status'],
    registers: [registry],
  });
  const durations = new Histogram({
    name: 'spiffe_svid_fetch_duration_seconds',
    help: 'Time from asking for an SVID to having it',
    labelNames: ['svid_type'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  const reopenings = new Counter({
    name: 'spiffe_stream_reopens_total',
    help: 'Streams of the Workload API opened anew because the next SVID was overdue',
    labelNames: ['svid_type'],
    registers: [registry],
  });
  const withdrawals = new Counter({
    name: 'spiffe_svid_withdrawals_total',
    help: 'Times that the agent denied what was held, so that it is no longer served',
    labelNames: ['svid_type'],
    registers: [registry],
  });
  return {
    svidFetch(type, status, seconds) {
      fetches.inc({ svid_type: type, status });
      // A push took nobody's time.
      if (seconds > 0) durations.observe({ svid_type: type }, seconds);
    },
    svidWithdrawn: (type) => withdrawals.inc({ svid_type: type }),
    streamReopened: (type) => reopenings.inc({ svid_type: type }),
  };
}
