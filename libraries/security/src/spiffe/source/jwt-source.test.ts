import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { CertificateAuthority } from '../../testing/certificate-authority.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { type WorkloadApiFaults, WorkloadApiServer } from '../../testing/workload-api-server.ts';
import { WorkloadIssuer } from '../../testing/workload-issuer.ts';
import { JwtSource } from './jwt-source.ts';

const ID = 'spiffe://example.org/workload';
const TTL_SECONDS = 100;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Hands out the same token until it is told otherwise, as SPIRE's agent does until half of its life. */
class RepeatingIssuer extends WorkloadIssuer {
  repeats = false;
  asked = 0;
  #last = '';

  override jwtSvid(id: string, audience: readonly string[]): string {
    this.asked += 1;
    if (!this.repeats || this.#last === '') this.#last = super.jwtSvid(id, audience);
    return this.#last;
  }
}

async function open() {
  const clock = new FakeClock();
  const authority = CertificateAuthority.create('example.org', { clock });
  const issuer = new RepeatingIssuer({ authority, clock, jwtTtlSeconds: TTL_SECONDS });
  const faults: WorkloadApiFaults = {};
  const path = join(mkdtempSync(join(tmpdir(), 'nh-jwt-')), 'agent.sock');
  const server = await WorkloadApiServer.listen({ issuer, path, ids: [ID], faults });
  const fetched: string[] = [];
  const waiting: (() => void)[] = [];
  const metrics = {
    svidFetch: (type: string, outcome: string) => {
      fetched.push(`${type} ${outcome}`);
      for (const tell of waiting.splice(0)) tell();
    },
  };
  const source = await JwtSource.open({ endpoint: server.endpoint, clock, metrics });
  cleanups.push(
    () => issuer.close(),
    () => server.close(),
    () => source.close(),
  );
  const token = async () => (await source.fetchJwtSvid({ audience: 'there' })).token.reveal();
  /** The next fetch has ended, whoever started it. */
  const nextFetch = () => new Promise<void>((resolve) => waiting.push(resolve));
  return { clock, issuer, faults, server, source, fetched, token, nextFetch };
}

test('a token is served until 80 % of its life, then replaced in the background', async () => {
  const { clock, issuer, token, nextFetch } = await open();
  const first = await token();
  await clock.advance(79_000);
  expect(await token()).toBe(first);
  expect(issuer.asked).toBe(1);
  await clock.advance(1_000);
  const refreshed = nextFetch();
  expect(await token()).toBe(first);
  await refreshed;
  expect(await token()).not.toBe(first);
  expect(issuer.asked).toBe(2);
});

test('callers at the same moment share one fetch, and one that gives up leaves it to the others', async () => {
  const { issuer, source, token } = await open();
  const abort = new AbortController();
  const given = source.fetchJwtSvid({ audience: 'there', signal: abort.signal });
  const others = [token(), token()];
  abort.abort(new Error('enough'));
  await expect(given).rejects.toThrow('enough');
  const [a, b] = await Promise.all(others);
  expect(a).toBe(b);
  expect(issuer.asked).toBe(1);
});

test('an agent that answers with the same token is not asked again at once', async () => {
  const { clock, issuer, token, nextFetch } = await open();
  issuer.repeats = true;
  const first = await token();
  await clock.advance(80_000);
  const again = nextFetch();
  await token();
  await again;
  expect(issuer.asked).toBe(2);
  await clock.advance(4_000);
  expect(await token()).toBe(first);
  expect(issuer.asked).toBe(2);
  await clock.advance(1_000);
  const third = nextFetch();
  await token();
  await third;
  expect(issuer.asked).toBe(3);
});

test('an expired token is never served, whatever the agent says', async () => {
  const { clock, issuer, token } = await open();
  issuer.repeats = true;
  await token();
  await clock.advance(TTL_SECONDS * 1_000);
  await expect(token()).rejects.toMatchObject({ code: 'JWT_EXPIRED', retryable: true });
  issuer.repeats = false;
  await expect(token()).resolves.toContain('.');
});

test('the token at hand outlives a failing agent until it ends', async () => {
  const { clock, faults, fetched, token, nextFetch } = await open();
  const first = await token();
  faults.fail = { code: status.UNAVAILABLE };
  await clock.advance(90_000);
  const failed = nextFetch();
  expect(await token()).toBe(first);
  await failed;
  expect(await token()).toBe(first);
  expect(fetched).toEqual(['jwt success', 'jwt error']);
  await clock.advance(10_000);
  await expect(token()).rejects.toMatchObject({ code: 'WORKLOAD_API_UNAVAILABLE', retryable: true });
});

test('W-14: a denied token is not served from the cache', async () => {
  const { clock, faults, token, nextFetch } = await open();
  const first = await token();
  await clock.advance(85_000);
  faults.fail = { code: status.PERMISSION_DENIED };
  const denied = nextFetch();
  expect(await token()).toBe(first);
  await denied;
  await expect(token()).rejects.toMatchObject({ code: 'WORKLOAD_API_PERMISSION_DENIED' });
});

test('the cache is bounded', async () => {
  const { issuer, source } = await open();
  const fetch = (index: number) => source.fetchJwtSvid({ audience: `a${index}` });
  for (let index = 0; index <= 256; index += 1) await fetch(index);
  await fetch(256);
  expect(issuer.asked).toBe(257);
  await fetch(0);
  expect(issuer.asked).toBe(258);
});

test('close ends a fetch that is under way', async () => {
  const { faults, source, token } = await open();
  await token();
  faults.delayMs = 60_000;
  const fetch = source.fetchJwtSvid({ audience: 'elsewhere' });
  const ended = expect(fetch).rejects.toMatchObject({ code: 'SOURCE_CLOSED' });
  await source.close();
  await ended;
  await expect(token()).rejects.toMatchObject({ code: 'SOURCE_CLOSED' });
});

test('the share of its life after which a token is fetched anew can be chosen', async () => {
  const { clock, issuer, server } = await open();
  const source = await JwtSource.open({ endpoint: server.endpoint, clock, refreshShare: 0.5 });
  cleanups.push(() => source.close());
  const first = await source.fetchJwtSvid({ audience: 'there' });
  await clock.advance(49_000);
  expect(await source.fetchJwtSvid({ audience: 'there' })).toBe(first);
  expect(issuer.asked).toBe(1);
  await clock.advance(1_000);
  expect(await source.fetchJwtSvid({ audience: 'there' })).toBe(first);
  await expect.poll(() => issuer.asked).toBe(2);
  for (const refreshShare of [0, 1, Number.NaN]) {
    await expect(JwtSource.open({ endpoint: server.endpoint, refreshShare })).rejects.toThrow(RangeError);
  }
});

test('W-20: a token can be asked for by its hint, and there is none for a hint that nobody has', async () => {
  const { source } = await open();
  await expect(source.fetchJwtSvid({ audience: 'there' })).resolves.toBeDefined();
  await expect(source.fetchJwtSvid({ audience: 'there', hint: 'missing' })).rejects.toMatchObject({
    code: 'SVID_NOT_PICKED',
  });
});
