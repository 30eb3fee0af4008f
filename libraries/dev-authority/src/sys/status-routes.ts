import type { Answer, Route } from '../api/route.ts';
import type { Parts } from '../parts.ts';
import { VERSION } from '../version.ts';

const CLUSTER_NAME = 'dev-authority';

/** Endpoints that say how the server is, most of them to anybody. */
export function statusRoutes(parts: Parts): Route[] {
  const health: Route['read'] = ({ query }) => {
    const asked = Number(query.get('activecode'));
    const status = Number.isInteger(asked) && asked >= 200 && asked < 600 ? asked : 200;
    return raw(status, {
      initialized: true,
      sealed: false,
      standby: false,
      replication_performance_mode: 'disabled',
      replication_dr_mode: 'disabled',
      server_time_utc: Math.floor(parts.clock.now() / 1000),
      version: VERSION,
      cluster_name: CLUSTER_NAME,
      cluster_id: parts.clusterId,
    });
  };
  return [
    { path: 'health', open: true, read: health },
    { path: 'init', open: true, read: () => raw(200, { initialized: true }) },
    { path: 'leader', open: true, read: () => raw(200, { ha_enabled: false }) },
    {
      path: 'seal-status',
      open: true,
      read: () =>
        raw(200, {
          type: 'static',
          initialized: true,
          sealed: false,
          t: 1,
          n: 1,
          progress: 0,
          nonce: '',
          recovery_seal: false,
          version: VERSION,
          migration: false,
          cluster_name: CLUSTER_NAME,
          cluster_id: parts.clusterId,
          storage_type: 'file',
        }),
    },
    {
      path: 'metrics',
      read: async ({ query }) => {
        if (query.get('format') !== 'prometheus') return raw(200, { Gauges: await parts.metrics.getMetricsAsJSON() });
        return { raw: { contentType: parts.metrics.contentType, body: await parts.metrics.metrics() } };
      },
    },
  ];
}

function raw(status: number, body: unknown): Answer {
  return { status, raw: { contentType: 'application/json', body: `${JSON.stringify(body)}\n` } };
}
