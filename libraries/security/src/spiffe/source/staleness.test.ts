import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import {
  CertificateAuthority,
  FakeClock,
  type WorkloadApiFaults,
  WorkloadApiServer,
  WorkloadIssuer,
} from '../../testing/index.ts';
import { Staleness } from './staleness.ts';
import { X509Source, type X509SourceOptions } from './x509-source.ts';

const ID = 'spiffe://example.org/a';
const TTL_SECONDS = 1_000;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Issues anew only when told to, and pushes nothing by itself: an open stream of it is as good as dead. */
class SilentIssuer extends WorkloadIssuer {
  renew(): void {
    this.#current = this.authority.issueX509Svid({ id: ID, ttlSeconds: TTL_SECONDS });
  }

  override x509Svid(): ReturnType<WorkloadIssuer['x509Svid']> {
    if (this.#current === undefined) this.renew();
    return this.#current ?? super.x509Svid(ID);
  }

  #current: ReturnType<WorkloadIssuer['x509Svid']> | undefined;
}

async function open(options: X509SourceOptions = {}) {
  const clock = new FakeClock();
  const issuer = new SilentIssuer({ authority: CertificateAuthority.create('example.org', { clock }), clock });
  let sent = 0;
  const faults: WorkloadApiFaults = {
    spoilX509: (response) => {
      sent += 1;
      return response;
    },
  };
  const path = join(mkdtempSync(join(tmpdir(), 'nh-stale-')), 'agent.sock');
  const server = await WorkloadApiServer.listen({ issuer, path, ids: [ID], faults });
  const reopened: string[] = [];
  const metrics = { svidFetch: () => undefined, streamReopened: (type: string) => reopened.push(type) };
  const source = await X509Source.open({ endpoint: server.endpoint, clock, metrics, ...options });
  cleanups.push(
    () => issuer.close(),
    () => server.close(),
    () => source.close(),
  );
  const { issuedAtMs, expiresAtMs } = source.getX509Svid();
  /** Moves to this share of the first SVID's life. */
  const to = (share: number) => clock.advance(issuedAtMs + share * (expiresAtMs - issuedAtMs) - clock.now());
  return { clock, issuer, source, reopened, to, sent: () => sent };
}

describe('an X509-SVID that is not replaced', () => {
  test('W-02: past 80 % of its life the stream is opened anew, which is counted and shows as degraded', async () => {
    const { source, to, sent, reopened } = await open();
    await to(0.79);
    expect([source.health().state, sent(), source.reopenings]).toEqual(['healthy', 1, 0]);
    await to(0.8);
    await expect.poll(sent).toBe(2);
    expect(source.health()).toMatchObject({ state: 'degraded', lastError: { code: 'SVID_STALE', retryable: true } });
    expect([source.reopenings, reopened, source.generation]).toEqual([1, ['x509'], 1]);
    expect(source.getX509Svid().id.toString()).toBe(ID);
  });

  test('W-02: what the new stream brings is taken, and all is well again', async () => {
    const { source, issuer, to } = await open();
    issuer.renew();
    const first = source.getX509Svid();
    const next = source.waitForUpdate();
    await to(0.8);
    expect((await next).certificateChainPem).not.toBe(first.certificateChainPem);
    expect(source.generation).toBe(2);
  });

  test('is asked for again after a quarter of what is left, and never in a hot loop', async () => {
    const { source, to, sent, clock } = await open();
    await to(0.8);
    await expect.poll(sent).toBe(2);
    await to(0.849);
    expect(sent()).toBe(2);
    await to(0.851);
    await expect.poll(sent).toBe(3);
    await to(1);
    const before = source.reopenings;
    expect(source.health().state).toBe('unhealthy');
    await clock.advance(60_000);
    expect(source.reopenings - before).toBeLessThanOrEqual(12);
  });

  test('is overdue at the share that was chosen', async () => {
    const { source, to, sent } = await open({ staleShare: 0.6 });
    await to(0.6);
    await expect.poll(sent).toBe(2);
    expect(source.reopenings).toBe(1);
    for (const staleShare of [0, 1, Number.NaN]) {
      await expect(X509Source.open({ endpoint: 'unix:///a', staleShare })).rejects.toThrow(RangeError);
    }
  });

  test('is no longer watched once the source is closed', async () => {
    const { source, to } = await open();
    await source.close();
    await to(0.9);
    expect(source.reopenings).toBe(0);
  });
});

test('an SVID that arrives past its share is overdue at once, and not asked for in a loop', async () => {
  const clock = new FakeClock();
  let asked = 0;
  const staleness = new Staleness({ clock, share: 0.8, onStale: () => (asked += 1) });
  const life = { issuedAtMs: clock.now() - 90_000, expiresAtMs: clock.now() + 10_000 };
  staleness.hold(life);
  expect(staleness.isStale).toBe(true);
  for (let again = 0; again < 10; again += 1) staleness.hold({ ...life });
  await clock.advance(4_999);
  expect(asked).toBe(0);
  await clock.advance(1);
  expect(asked).toBe(1);
  staleness.hold({ issuedAtMs: clock.now(), expiresAtMs: clock.now() + 100_000 });
  expect(staleness.isStale).toBe(false);
  await clock.advance(79_999);
  expect(asked).toBe(1);
  staleness.stop();
  await clock.advance(100_000);
  expect(asked).toBe(1);
});
