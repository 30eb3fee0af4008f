import { describe, expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import { FailOpen, type FailOpenOptions } from './fail-open.ts';

interface Client {
  closed: boolean;
  close(): Promise<void>;
}

/** A server that is away for so many attempts. */
function stage(away: number, options: Partial<FailOpenOptions<Client>> = {}) {
  const clock = new FakeClock();
  const seen = { attempts: 0, counted: 0, warned: 0 };
  const client: Client = {
    closed: false,
    async close() {
      client.closed = true;
    },
  };
  const nothing = (): void => undefined;
  const warn = (): void => {
    seen.warned += 1;
  };
  const open = () =>
    FailOpen.open<Client>({
      async open() {
        seen.attempts += 1;
        if (seen.attempts <= away) throw new Error('away');
        return client;
      },
      environment: 'development',
      clock,
      random: () => 0.5,
      logger: { debug: nothing, info: nothing, error: nothing, warn },
      metrics: {
        failedOpen() {
          seen.counted += 1;
        },
      },
      ...options,
    });
  return { clock, seen, client, open };
}

describe('failing open', () => {
  test('costs nothing when Vault is there', async () => {
    const { open, client, seen } = stage(0);
    const opened = await open();
    expect(opened.get()).toBe(client);
    expect(await opened.whenReady()).toBe(client);
    expect(seen).toEqual({ attempts: 1, counted: 0, warned: 0 });
    await opened.close();
    expect(client.closed).toBe(true);
  });

  test('goes on without Vault, says so and counts it each time, and keeps trying until it is there', async () => {
    const { open, client, clock, seen } = stage(5);
    const opened = await open();
    expect(opened.get()).toBeUndefined();
    expect(opened.lastError).toMatchObject({ message: 'away' });
    await clock.advance(600_000);
    expect(await opened.whenReady()).toBe(client);
    expect(opened.get()).toBe(client);
    expect(opened.lastError).toBeUndefined();
    expect(seen).toEqual({ attempts: 6, counted: 5, warned: 5 });
    await opened.close();
  });

  test('pauses between attempts for half a minute at most', async () => {
    const { open, clock, seen } = stage(1_000);
    const opened = await open();
    await clock.advance(3_600_000);
    expect(seen.attempts).toBeGreaterThan(120);
    expect(seen.attempts).toBeLessThan(300);
    await opened.close();
  });

  test('ends when it is closed, and who waits hears of it', async () => {
    const { open, clock, seen } = stage(1_000);
    const opened = await open();
    const waiting = expect(opened.whenReady()).rejects.toMatchObject({ code: 'closed' });
    await opened.close();
    await waiting;
    await clock.advance(3_600_000);
    expect(seen.attempts).toBe(1);
  });

  test.each(['production', 'prod', 'staging', 'Development', '', undefined])(
    'is refused in %j',
    async (environment) => {
      const { open, seen } = stage(0, { environment });
      await expect(open()).rejects.toMatchObject({ code: 'fail-open-refused' });
      expect(seen.attempts).toBe(0);
    },
  );

  test('names a wrong retryCapMs', async () => {
    await expect(stage(0, { retryCapMs: 1 }).open()).rejects.toThrow(/^retryCapMs/);
  });
});
