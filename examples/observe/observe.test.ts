import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { inspect } from 'node:util';
import { metrics } from '@opentelemetry/api';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { type Agent, startAgent } from '../spiffe-in-ten-lines/agent.mjs';

const ID = 'spiffe://example.org/orders';
let agent: Agent;
let printed: string;

beforeAll(async () => {
  agent = await startAgent([ID], 600);
});
afterAll(() => agent.stop());
beforeEach(() => {
  printed = '';
  const print = (...values: unknown[]): void => {
    printed += `${values.map((value) => (typeof value === 'string' ? value : inspect(value, { depth: 10 }))).join(' ')}\n`;
  };
  vi.spyOn(console, 'log').mockImplementation(print);
  vi.spyOn(console, 'dir').mockImplementation(print);
  vi.stubEnv('SPIFFE_ENDPOINT_SOCKET', agent.endpoints[0]);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  metrics.disable();
});

test('prometheus.mjs prints what happens to SVIDs, and the metrics with the seconds that are left', async () => {
  await import('./prometheus.mjs');
  expect(printed).toContain(`x509 success ${ID}\n`);
  expect(printed).toContain(`jwt success ${ID}\n`);
  expect(printed).toContain('spiffe_svid_fetch_total{svid_type="jwt",status="success"} 1');
  const left = /spiffe_svid_ttl_seconds\{svid_type="x509"\} ([\d.]+)/.exec(printed)?.[1];
  expect(Number(left)).toBeGreaterThan(0);
  expect(Number(left)).toBeLessThanOrEqual(600);
});

test('opentelemetry.mjs prints the same metrics and a span of the fetch', async () => {
  await import('./opentelemetry.mjs');
  expect(printed).toContain("name: 'spiffe_svid_fetch_total'");
  expect(printed).toContain("name: 'spiffe_svid_ttl_seconds'");
  expect(printed).toContain("name: 'spiffe fetch jwt'");
  expect(printed).toContain(ID);
});

test.each(['prometheus.mjs', 'opentelemetry.mjs'])('the guide shows %s as it is', (program) => {
  const guide = readFileSync(resolve(import.meta.dirname, '../../docs/guides/observe.md'), 'utf8');
  expect(guide).toContain(readFileSync(join(import.meta.dirname, program), 'utf8').trim());
});
