import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { prometheusMetrics } from './index.ts';

test('every metric of the library has its name and its labels', async () => {
  const registry = new Registry();
  const { auth, bundles, spiffe, vault } = prometheusMetrics(registry);
  auth.attempt('/a.B/C', 'allowed');
  auth.attempt('unknown', 'denied');
  auth.failure('unknown', 'unknown_method');
  spiffe.svidFetch('jwt', 'success', 0.002);
  spiffe.svidFetch('x509', 'error', 0);
  spiffe.svidFetch('x509', 'fallback', 0);
  bundles.bundleFetch('example.org', 'updated');
  vault.request('kv.read', 'success', 5);
  const text = await registry.metrics();
  for (const line of [
    'grpc_auth_attempts_total{method="/a.B/C",status="allowed"} 1',
    'grpc_auth_attempts_total{method="unknown",status="denied"} 1',
    'grpc_auth_failures_total{method="unknown",reason="unknown_method"} 1',
    'spiffe_svid_fetch_total{svid_type="jwt",status="success"} 1',
    'spiffe_svid_fetch_total{svid_type="x509",status="error"} 1',
    'spiffe_svid_fetch_total{svid_type="x509",status="fallback"} 1',
    'spiffe_trust_bundle_updates_total{status="updated"} 1',
    'spiffe_svid_fetch_duration_seconds_bucket{le="0.0025",svid_type="jwt"} 1',
    'vault_requests_total{operation="kv.read",status="success"} 1',
  ]) {
    expect(text).toContain(line);
  }
});

test('a registry takes them once', () => {
  const registry = new Registry();
  prometheusMetrics(registry);
  expect(() => prometheusMetrics(registry)).toThrow(/already been registered/);
});
