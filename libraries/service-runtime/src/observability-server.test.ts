import { Counter, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { type Check, observabilityServer } from './observability-server.ts';

async function serving(checks: { health?: Check; ready?: Check } = {}) {
  const registry = new Registry();
  new Counter({ name: 'things_total', help: 'things', registers: [registry] }).inc();
  const server = await observabilityServer({
    port: 0,
    health: () => ({ ok: true }),
    ready: () => ({ ok: true }),
    registry,
    ...checks,
  });
  const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${server.port}${path}`, init);
  return { server, get };
}

test('health and readiness are answered with the state and its status code', async () => {
  const { server, get } = await serving({ ready: async () => ({ ok: false, store: 'the disk is full' }) });
  expect(await get('/health').then((r) => [r.status, r.headers.get('cache-control')])).toEqual([200, 'no-store']);
  const ready = await get('/ready');
  expect([ready.status, await ready.json()]).toEqual([503, { ok: false, store: 'the disk is full' }]);
  await server.close();
});

test('a check that throws is a failed check', async () => {
  const { server, get } = await serving({ health: () => Promise.reject(new Error('unreachable')) });
  const health = await get('/health');
  expect([health.status, await health.json()]).toEqual([503, { ok: false, error: 'unreachable' }]);
  await server.close();
});

test('metrics are served in the text format', async () => {
  const { server, get } = await serving();
  const metrics = await get('/metrics');
  expect(metrics.headers.get('content-type')).toContain('text/plain');
  expect(await metrics.text()).toContain('things_total 1');
  await server.close();
});

test('everything else is refused', async () => {
  const { server, get } = await serving();
  expect((await get('/constructor')).status).toBe(404);
  expect((await get('/health', { method: 'POST' })).status).toBe(405);
  await server.close();
});

test('a port that is taken rejects, and a closed server lets go of its port', async () => {
  const { server } = await serving();
  const options = { port: server.port, health: () => ({ ok: true }), ready: () => ({ ok: true }) };
  await expect(observabilityServer({ ...options, registry: new Registry() })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
  await Promise.all([server.close(), server.close()]);
  await server.destroy();
  const again = await observabilityServer({ ...options, registry: new Registry() });
  await again.close();
});
