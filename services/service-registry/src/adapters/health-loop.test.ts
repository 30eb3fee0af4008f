import { FakeClock } from '@neural-hive/security/testing';
import { createLogger } from '@neural-hive/service-runtime';
import { expect, test, vi } from 'vitest';
import { REMOVAL_TIMEOUTS } from '../domain/health-sweep.ts';
import { RegistryError } from '../domain/registry-error.ts';
import { command, openRegistry, TIMING, WORKER } from '../testing/registry-fixture.ts';
import { startHealthLoop } from './health-loop.ts';

const INTERVAL_MS = 10_000;
const REMOVAL_MS = REMOVAL_TIMEOUTS * TIMING.heartbeatTimeoutMs;

async function open() {
  const clock = new FakeClock();
  const { registry, store } = await openRegistry({ clock });
  const lines: string[] = [];
  const log = createLogger({ name: 'test', stream: { write: (line) => void lines.push(line) } });
  const { agentId } = await registry.register(WORKER, command());
  const loop = startHealthLoop({ store, timing: TIMING, clock, log, intervalMs: INTERVAL_MS });
  return { clock, store, loop, lines, isThere: async () => (await store.get(agentId)) !== undefined };
}

test('an agent that stays away is removed', async () => {
  const { clock, loop, isThere } = await open();
  await clock.advance(REMOVAL_MS);
  expect(await isThere()).toBe(true);
  await clock.advance(INTERVAL_MS);
  expect(await isThere()).toBe(false);
  await loop.close();
});

test('after a time without the store an agent has the whole time again to come back', async () => {
  const { clock, store, loop, lines, isThere } = await open();
  const away = vi.spyOn(store, 'snapshot').mockRejectedValue(new RegistryError('store_failed', 'the store is away'));
  await clock.advance(3 * REMOVAL_MS);
  expect(lines.length).toBeGreaterThan(0);
  away.mockRestore();
  await clock.advance(INTERVAL_MS + REMOVAL_MS);
  expect(await isThere()).toBe(true);
  await clock.advance(INTERVAL_MS);
  expect(await isThere()).toBe(false);
  await loop.close();
});
