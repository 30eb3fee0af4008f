import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { prometheusVaultMetrics } from './vault.ts';

test('requests, their durations and renewals are counted under the documented names and labels', async () => {
  const registry = new Registry();
  const metrics = prometheusVaultMetrics(registry);
  metrics.request('kv.read', 'success', 12);
  metrics.request('kv.read', 'not-found', 3);
  metrics.tokenRenewal('success');
  metrics.tokenRenewal('failure');
  const text = await registry.metrics();
  expect(text).toContain('vault_requests_total{operation="kv.read",status="success"} 1');
  expect(text).toContain('vault_requests_total{operation="kv.read",status="not-found"} 1');
  expect(text).toContain('vault_request_duration_seconds_count{operation="kv.read"} 2');
  expect(text).toContain('vault_request_duration_seconds_sum{operation="kv.read"} 0.015');
  expect(text).toContain('vault_token_renewals_total{status="success"} 1');
  expect(text).toContain('vault_token_renewals_total{status="failure"} 1');
});
