import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { prometheusFailOpenMetrics } from './fail-open.ts';

test('going on without Vault is counted under the documented name', async () => {
  const registry = new Registry();
  prometheusFailOpenMetrics(registry).failedOpen();
  expect(await registry.metrics()).toContain('vault_fail_open_total 1');
});
