import type { BundleMetrics, SpiffeMetrics, SvidType } from '../../spiffe/index.ts';
import { ANSWER_SECONDS, type Instruments } from './instruments.ts';
import { soonest, Watched } from './watched.ts';

/** What the sources of SVIDs do, and how long what they serve lives. */
export function spiffeMetrics(instruments: Instruments): SpiffeMetrics {
  const sources = new Watched<{ readonly type: SvidType; readonly ttlSeconds: () => number | undefined }>();
  const fetches = instruments.counter(
    'spiffe_svid_fetch_total',
    'SVIDs fetched from the Workload API or pushed by it',
    ['svid_type', 'status'],
  );
  const durations = instruments.histogram(
    'spiffe_svid_fetch_duration_seconds',
    'Time from asking for an SVID to having it',
    ['svid_type'],
    ANSWER_SECONDS,
  );
  const reopenings = instruments.counter(
    'spiffe_stream_reopens_total',
    'Streams of the Workload API opened anew because the next SVID was overdue',
    ['svid_type'],
  );
  const withdrawals = instruments.counter(
    'spiffe_svid_withdrawals_total',
    'Times that the agent denied what was held, so that it is no longer served',
    ['svid_type'],
  );
  instruments.gauge('spiffe_svid_ttl_seconds', 'Until the SVID that ends first ends', ['svid_type'], () =>
    [...soonest([...sources].map(({ type, ttlSeconds }) => [type, ttlSeconds()] as const))].map(([type, value]) => ({
      labels: { svid_type: type },
      value,
    })),
  );
  return {
    svidFetch(type, status, seconds) {
      fetches({ svid_type: type, status });
      // A push took nobody's time.
      if (seconds > 0) durations({ svid_type: type }, seconds);
    },
    svidWithdrawn: (type) => withdrawals({ svid_type: type }),
    streamReopened: (type) => reopenings({ svid_type: type }),
    watchSvid: (type, ttlSeconds) => sources.add({ type, ttlSeconds }),
  };
}

/** The fetches of foreign trust bundles. */
export function bundleMetrics(instruments: Instruments): BundleMetrics {
  const updates = instruments.counter(
    'spiffe_trust_bundle_updates_total',
    'Fetches of the trust bundles of foreign trust domains',
    ['status'],
  );
  return { bundleFetch: (_trustDomain, status) => updates({ status }) };
}
