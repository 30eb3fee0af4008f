import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { prometheusMetrics } from '../prometheus/index.ts';
import { openTelemetryUnderTest, prometheusUnderTest } from './testing/readers.ts';

const SYSTEMS = [
  ['Prometheus', prometheusUnderTest],
  ['OpenTelemetry', openTelemetryUnderTest],
] as const;

const LEASE = {
  leaseId: 'database/creds/role/1',
  issuedAtMs: 0,
  expiresAtMs: 1,
  renewable: true,
  tokenGeneration: 1,
  state: 'active',
} as const;
const OUTCOME = { name: 'database/role', generation: 2, startedAtMs: 0, publishedAtMs: 5, drainedAtMs: 1_505 } as const;

describe.each(SYSTEMS)('in %s', (_system, open) => {
  test('everything is counted under its documented name and labels', async () => {
    const { metrics, look } = open();
    const { auth, bundles, credentials, failOpen, spiffe, tokenCache, vault } = metrics;
    auth.attempt('/a.B/C', 'allowed');
    auth.attempt('unknown', 'denied');
    auth.failure('unknown', 'unknown_method');
    spiffe.svidFetch('jwt', 'success', 0.002);
    spiffe.svidFetch('x509', 'error', 0);
    spiffe.svidFetch('x509', 'fallback', 0);
    spiffe.svidWithdrawn?.('x509');
    spiffe.streamReopened?.('x509');
    bundles.bundleFetch('example.org', 'updated');
    vault.request('kv.read', 'success', 12);
    vault.request('kv.read', 'not-found', 3);
    vault.tokenRenewal('success');
    vault.tokenRenewal('failure');
    vault.tokenReplaced?.('max-ttl');
    for (const type of ['obtained', 'renewed', 'renewal-failed', 'ending', 'revoked', 'gone'] as const) {
      vault.leaseChanged?.({ type, lease: LEASE });
    }
    const times = { durationMs: 2_000, drainMs: 1_500 };
    credentials.rotation({ ...OUTCOME, reason: 'due', terminated: 3, ok: true }, times);
    credentials.rotation({ ...OUTCOME, reason: 'forced', terminated: 0, ok: false }, { durationMs: 9, drainMs: 0 });
    tokenCache.hit();
    tokenCache.miss();
    tokenCache.refresh('failure');
    tokenCache.resize(3);
    tokenCache.resize(-1);
    failOpen.failedOpen();
    const seen = (await look()).filter((line) => !/ 0$/.test(line));
    expect(seen.sort()).toEqual([
      'cache_size 2',
      'credential_drain_duration_seconds_count{credential="database/role"} 1',
      'credential_drain_duration_seconds_sum{credential="database/role"} 1.5',
      'credential_drain_overruns_total{credential="database/role"} 1',
      'credential_rotation_duration_seconds_count{credential="database/role"} 1',
      'credential_rotation_duration_seconds_sum{credential="database/role"} 2',
      'credential_rotations_total{credential="database/role",reason="due",status="success"} 1',
      'credential_rotations_total{credential="database/role",reason="forced",status="failure"} 1',
      'grpc_auth_attempts_total{method="/a.B/C",status="allowed"} 1',
      'grpc_auth_attempts_total{method="unknown",status="denied"} 1',
      'grpc_auth_failures_total{method="unknown",reason="unknown_method"} 1',
      'spiffe_stream_reopens_total{svid_type="x509"} 1',
      'spiffe_svid_fetch_duration_seconds_count{svid_type="jwt"} 1',
      'spiffe_svid_fetch_duration_seconds_sum{svid_type="jwt"} 0.002',
      'spiffe_svid_fetch_total{status="error",svid_type="x509"} 1',
      'spiffe_svid_fetch_total{status="fallback",svid_type="x509"} 1',
      'spiffe_svid_fetch_total{status="success",svid_type="jwt"} 1',
      'spiffe_svid_withdrawals_total{svid_type="x509"} 1',
      'spiffe_trust_bundle_updates_total{status="updated"} 1',
      'token_cache_hits_total 1',
      'token_cache_misses_total 1',
      'token_cache_refresh_total{status="failure"} 1',
      'vault_credential_renewals_total{credential_type="database",status="failure"} 1',
      'vault_credential_renewals_total{credential_type="database",status="success"} 1',
      'vault_fail_open_total 1',
      'vault_lease_events_total{event="ending"} 1',
      'vault_lease_events_total{event="gone"} 1',
      'vault_lease_events_total{event="obtained"} 1',
      'vault_lease_events_total{event="revoked"} 1',
      'vault_request_duration_seconds_count{operation="kv.read"} 2',
      'vault_request_duration_seconds_sum{operation="kv.read"} 0.015',
      'vault_requests_total{operation="kv.read",status="not-found"} 1',
      'vault_requests_total{operation="kv.read",status="success"} 1',
      'vault_token_renewals_total{status="failure"} 1',
      'vault_token_renewals_total{status="success"} 1',
      'vault_token_replacements_total{reason="max-ttl"} 1',
    ]);
  });

  test('what is open is looked at again each time: the one that ends first counts, and what is closed is gone', async () => {
    const { metrics, look } = open();
    const seen = async (name: string) => (await look()).filter((line) => line.startsWith(name));
    let left = 30;
    const closings = [
      metrics.spiffe.watchSvid?.('x509', () => 50),
      metrics.spiffe.watchSvid?.('x509', () => left),
      metrics.spiffe.watchSvid?.('jwt', () => undefined),
      metrics.credentials.watchCredential?.('database/role', () => left),
      metrics.credentials.watchCredential?.('secret/login', () => undefined),
      metrics.vault.watchClient?.(() => ({
        tokenTtlSeconds: left,
        breaker: 'open',
        leases: [
          { state: 'active', ttlSeconds: 90 },
          { state: 'active', ttlSeconds: left },
          { state: 'failing', ttlSeconds: undefined },
        ],
      })),
    ];
    expect(await seen('spiffe_svid_ttl_seconds')).toEqual(['spiffe_svid_ttl_seconds{svid_type="x509"} 30']);
    left = 20;
    expect(await seen('spiffe_svid_ttl_seconds')).toEqual(['spiffe_svid_ttl_seconds{svid_type="x509"} 20']);
    expect(await seen('credential_ttl_seconds')).toEqual(['credential_ttl_seconds{credential="database/role"} 20']);
    expect(await seen('vault_token_ttl_seconds')).toEqual(['vault_token_ttl_seconds 20']);
    expect(await seen('vault_lease_ttl_seconds')).toEqual(['vault_lease_ttl_seconds{state="active"} 20']);
    expect(await seen('vault_leases')).toEqual([
      'vault_leases{state="active"} 2',
      'vault_leases{state="failing"} 1',
      'vault_leases{state="ending"} 0',
    ]);
    expect(await seen('vault_breaker_state')).toEqual([
      'vault_breaker_state{state="closed"} 0',
      'vault_breaker_state{state="half-open"} 0',
      'vault_breaker_state{state="open"} 1',
    ]);
    for (const close of closings) close?.();
    for (const name of ['spiffe_svid_ttl', 'credential_ttl', 'vault_token_ttl', 'vault_lease_ttl']) {
      expect(await seen(name)).toEqual([]);
    }
    expect((await seen('vault_breaker_state')).every((line) => line.endsWith(' 0'))).toBe(true);
  });
});

test('a registry takes them once', () => {
  const registry = new Registry();
  prometheusMetrics(registry);
  expect(() => prometheusMetrics(registry)).toThrow(/already been registered/);
});
