import { createServer } from 'node:https';
import { afterEach, describe, expect, test } from 'vitest';
import type { Logger } from '../../common/index.ts';
import { CertificateAuthority } from '../../testing/certificate-authority.ts';
import type { IssuedCertificate } from '../../testing/certificate-authority-options.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { spiffeBundleOf } from '../../testing/spiffe-bundles.ts';
import { encodeSpiffeBundle } from '../bundle/spiffe/encode.ts';
import type { SpiffeBundle } from '../bundle/spiffe/spiffe-bundle.ts';
import { BundleSource, firstJwtBundleSource, firstX509BundleSource } from '../source/bundle-source.ts';
import { verifyJwtSvid } from '../svid/jwt/verify.ts';
import { verifyX509Svid } from '../svid/x509/verify.ts';
import { TrustDomain } from '../trust-domain.ts';
import { Federation, type FederationOptions, type Relationship } from './federation.ts';
import { ChangingEndpoint, listening } from './testing/endpoint.ts';
import { refreshMs } from './watch-bundle.ts';

const ONE = TrustDomain.parse('one.org');
const one = CertificateAuthority.create('one.org');
const two = CertificateAuthority.create('two.org');
const web = CertificateAuthority.create('web.example');

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(issued: IssuedCertificate, bundle: SpiffeBundle | undefined): Promise<ChangingEndpoint> {
  const endpoint = await ChangingEndpoint.serve(issued, bundle);
  cleanups.push(() => endpoint.close());
  return endpoint;
}

const webCertificate = () => web.issueTlsCertificate({ dnsNames: ['localhost'], ttlSeconds: 600 });
const svid = (authority: CertificateAuthority, path = '/server') =>
  authority.issueX509Svid({ id: `spiffe://${authority.trustDomain}${path}`, ttlSeconds: 600 });

function fromWeb(endpoint: ChangingEndpoint, trustDomain = 'one.org'): Relationship {
  return { trustDomain, url: endpoint.url, profile: 'https_web', ca: web.rootPem };
}

async function federate(options: FederationOptions): Promise<Federation> {
  const federation = await Federation.open(options);
  cleanups.push(() => federation.close());
  return federation;
}

/** Resolves when a fetch leaves its line: after its bundle is stored, or refused. */
function watchedLogger() {
  const lines: { level: string; fields: Record<string, unknown>; message: string }[] = [];
  const wake: (() => void)[] = [];
  const write = (level: string) => (fields: object, message: string) => {
    lines.push({ level, fields: fields as Record<string, unknown>, message });
    for (const one of wake.splice(0)) one();
  };
  const logger: Logger = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  return { logger, lines, next: () => new Promise<void>((resolve) => wake.push(resolve)) };
}

async function polling(bundle: SpiffeBundle | undefined, more: Partial<FederationOptions> = {}) {
  const clock = new FakeClock(Date.now());
  const log = watchedLogger();
  const endpoint = await serve(webCertificate(), bundle);
  const federation = await federate({ relationships: [fromWeb(endpoint)], clock, logger: log.logger, ...more });
  const poll = async (seconds: number): Promise<void> => {
    const line = log.next();
    await clock.advance(seconds * 1000);
    await line;
  };
  return { clock, endpoint, federation, poll, ...log };
}

test('SVIDs of a foreign trust domain verify with what was fetched', async () => {
  const { federation } = await polling(spiffeBundleOf(one));
  const id = 'spiffe://one.org/caller';
  const { certificates } = one.issueX509Svid({ id, ttlSeconds: 60 });
  expect(verifyX509Svid(certificates, federation).id.toString()).toBe(id);
  const token = one.issueJwtSvid({ id, audience: 'us', ttlSeconds: 60 });
  expect(verifyJwtSvid(token, { bundles: federation, audience: 'us' }).id.toString()).toBe(id);
});

test('an opening that is aborted rejects with the reason and fetches no more', async () => {
  const endpoint = await serve(webCertificate(), spiffeBundleOf(one));
  const giveUp = new AbortController();
  const request = endpoint.nextRequest();
  const opening = Federation.open({ relationships: [fromWeb(endpoint)], signal: giveUp.signal });
  await request;
  const reason = new Error('enough');
  giveUp.abort(reason);
  await expect(opening).rejects.toBe(reason);
});

test('F-02: relationships over https_web and https_spiffe live side by side', async () => {
  const asWeb = await serve(webCertificate(), spiffeBundleOf(one));
  const asSpiffe = await serve(svid(two), spiffeBundleOf(two));
  const federation = await federate({
    relationships: [
      fromWeb(asWeb),
      {
        trustDomain: 'two.org',
        url: asSpiffe.url,
        profile: 'https_spiffe',
        endpointId: 'spiffe://two.org/server',
        initialBundle: spiffeBundleOf(two),
      },
    ],
  });
  expect(federation.health()).toMatchObject([
    { trustDomain: 'one.org', state: 'healthy' },
    { trustDomain: 'two.org', state: 'healthy' },
  ]);
});

test('F-06: an endpoint that serves its own trust domain is verified with the newest bundle that was fetched', async () => {
  const successor = CertificateAuthority.create('one.org');
  const clock = new FakeClock(Date.now());
  const log = watchedLogger();
  const first = spiffeBundleOf(one, { sequence: 1n });
  const both = {
    ...first,
    sequence: 2n,
    x509: { trustDomain: ONE, authorities: [...one.bundle().authorities, ...successor.bundle().authorities] },
  };
  let identity = svid(one);
  const relationship = (url: string): Relationship => ({
    trustDomain: ONE,
    url,
    profile: 'https_spiffe',
    endpointId: 'spiffe://one.org/server',
    initialBundle: first,
  });
  const contextOf = () => ({
    cert: identity.certificateChainPem,
    key: identity.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  });
  const server = createServer(contextOf(), (_request, response) => void response.end(encodeSpiffeBundle(both)));
  const endpoint = await listening(server);
  cleanups.push(() => endpoint.close());
  const federation = await federate({ relationships: [relationship(endpoint.url)], clock, logger: log.logger });
  expect(federation.getSpiffeBundle(ONE)?.sequence).toBe(2n);
  // The server moves to an authority that only the fetched bundle knows.
  identity = svid(successor);
  server.setSecureContext(contextOf());
  const line = log.next();
  await clock.advance(300_000);
  await line;
  expect(federation.health()).toMatchObject([{ state: 'healthy', sequence: 2n }]);
  // With the configured bundle alone it would have been refused.
  const fresh = await federate({ relationships: [relationship(endpoint.url)] });
  expect(fresh.health()).toMatchObject([{ state: 'degraded', lastError: { code: 'BUNDLE_ENDPOINT_REFUSED' } }]);
});

test('F-06: an endpoint that serves its own trust domain needs a bundle beforehand', async () => {
  const relationship = { trustDomain: 'one.org', url: 'https://localhost/', profile: 'https_spiffe' } as const;
  const endpointId = 'spiffe://one.org/server';
  await expect(Federation.open({ relationships: [{ ...relationship, endpointId }] })).rejects.toThrow('initialBundle');
  const foreign = { ...relationship, endpointId, initialBundle: spiffeBundleOf(two) };
  await expect(Federation.open({ relationships: [foreign] })).rejects.toThrow('initialBundle');
});

test('F-06: an endpoint in another trust domain is verified with the newest bundle of that one', async () => {
  const asWeb = await serve(webCertificate(), spiffeBundleOf(one));
  const servedByOne = await serve(svid(one), spiffeBundleOf(two));
  const twoFromOne: Relationship = {
    trustDomain: 'two.org',
    url: servedByOne.url,
    profile: 'https_spiffe',
    endpointId: 'spiffe://one.org/server',
  };
  // In whatever order they are named.
  const federation = await federate({ relationships: [twoFromOne, fromWeb(asWeb)] });
  expect(federation.health().map(({ state }) => state)).toEqual(['healthy', 'healthy']);
  // Or with a bundle that is known otherwise, such as one's own.
  const bundles = new BundleSource(new Map([['one.org', spiffeBundleOf(one)]]));
  expect((await federate({ relationships: [twoFromOne], bundles })).health()).toMatchObject([{ state: 'healthy' }]);
  expect((await federate({ relationships: [twoFromOne] })).health()).toMatchObject([
    { state: 'unhealthy', lastError: { code: 'BUNDLE_ENDPOINT_REFUSED' } },
  ]);
});

describe('the interval', () => {
  test('F-09: it is the refresh hint', async () => {
    const { endpoint, clock, poll } = await polling(spiffeBundleOf(one, { refreshHintSeconds: 60 }));
    expect(endpoint.asked).toBe(1);
    await clock.advance(59_000);
    expect(endpoint.asked).toBe(1);
    await poll(1);
    expect(endpoint.asked).toBe(2);
  });

  test('B-10: without a hint it is five minutes', async () => {
    const { endpoint, clock, poll } = await polling(spiffeBundleOf(one));
    await clock.advance(299_000);
    expect(endpoint.asked).toBe(1);
    await poll(1);
    expect(endpoint.asked).toBe(2);
    expect([refreshMs(undefined, {}), refreshMs(0, {})]).toEqual([300_000, 300_000]);
  });

  test('B-03: a hint stays a hint, within limits of ours', () => {
    expect([refreshMs(10, {}), refreshMs(1, { minRefreshMs: 5_000 }), refreshMs(2 ** 31 - 1, {})]).toEqual([
      10_000, 5_000, 86_400_000,
    ]);
  });

  test('F-09: after a failure the next try waits for its turn, and the bundle serves on', async () => {
    const { endpoint, clock, poll, federation } = await polling(spiffeBundleOf(one, { refreshHintSeconds: 60 }));
    const good = endpoint.bundle;
    endpoint.bundle = undefined;
    await poll(60);
    expect(federation.health()).toMatchObject([{ state: 'degraded', lastError: { code: 'BUNDLE_FETCH_FAILED' } }]);
    expect(federation.getX509Bundle(ONE)?.authorities).toHaveLength(1);
    await clock.advance(59_000);
    expect(endpoint.asked).toBe(2);
    endpoint.bundle = good;
    await poll(1);
    expect(federation.health()).toMatchObject([{ state: 'healthy' }]);
  });

  test('F-09: a trust domain that is down keeps nobody from starting, and is taken in when it is up', async () => {
    const { endpoint, poll, federation } = await polling(undefined);
    expect(federation.health()).toMatchObject([{ state: 'unhealthy' }]);
    endpoint.bundle = spiffeBundleOf(one);
    await poll(300);
    expect(federation.health()).toMatchObject([{ state: 'healthy' }]);
  });
});

describe('the newest bundle', () => {
  const numbered = (sequence: bigint | undefined, authority = one) =>
    spiffeBundleOf(authority, { refreshHintSeconds: 60, ...(sequence === undefined ? {} : { sequence }) });

  test('F-10: a higher sequence number takes its place, a lower one does not', async () => {
    const { endpoint, federation, poll } = await polling(numbered(2n ** 60n));
    endpoint.bundle = numbered(2n ** 60n + 1n);
    await poll(60);
    expect(federation.getSpiffeBundle(ONE)?.sequence).toBe(2n ** 60n + 1n);
    endpoint.bundle = numbered(2n ** 60n);
    await poll(60);
    expect(federation.getSpiffeBundle(ONE)?.sequence).toBe(2n ** 60n + 1n);
    expect(federation.health()).toMatchObject([{ state: 'degraded', lastError: { code: 'BUNDLE_OUTDATED' } }]);
  });

  test('F-10: without a number the one that was fetched last counts', async () => {
    const successor = CertificateAuthority.create('one.org');
    const { endpoint, federation, poll } = await polling(numbered(undefined));
    endpoint.bundle = numbered(undefined, successor);
    await poll(60);
    expect(federation.getX509Bundle(ONE)?.authorities).toEqual(
      successor.bundle().authorities.map((der) => Buffer.from(der)),
    );
  });

  test('F-10: contents that change without their number are taken and reported', async () => {
    const { endpoint, federation, poll, lines } = await polling(numbered(5n));
    const successor = CertificateAuthority.create('one.org');
    endpoint.bundle = numbered(5n, successor);
    await poll(60);
    expect(lines.map(({ message }) => message)).toContain('a trust bundle changed without a new sequence number');
    expect(federation.getX509Bundle(ONE)?.authorities).toEqual(
      successor.bundle().authorities.map((der) => Buffer.from(der)),
    );
  });

  test('F-10: what an operator puts in place counts until the next fetch', async () => {
    const { endpoint, federation, poll } = await polling(numbered(5n));
    federation.override(numbered(9n, CertificateAuthority.create('one.org')));
    expect(federation.getSpiffeBundle(ONE)?.sequence).toBe(9n);
    endpoint.bundle = numbered(1n);
    await poll(60);
    expect(federation.getSpiffeBundle(ONE)?.sequence).toBe(1n);
    expect(() => federation.override(spiffeBundleOf(two))).toThrow(TypeError);
  });

  test('only a change is told, with the trust domain it is about', async () => {
    const { endpoint, federation, poll } = await polling(numbered(1n));
    const told: string[] = [];
    federation.onUpdate(({ name }) => told.push(name));
    await poll(60);
    expect(told).toEqual([]);
    endpoint.bundle = numbered(2n, CertificateAuthority.create('one.org'));
    await poll(60);
    expect(told).toEqual(['one.org']);
  });
});

test('F-11: the bundle of one trust domain verifies nobody of another', async () => {
  const asOne = await serve(webCertificate(), spiffeBundleOf(one));
  const asTwo = await serve(webCertificate(), spiffeBundleOf(two));
  const federation = await federate({ relationships: [fromWeb(asOne), fromWeb(asTwo, 'two.org')] });
  const own = one.issueX509Svid({ id: 'spiffe://one.org/a', ttlSeconds: 60 });
  const forged = one.issueX509Svid({ id: 'spiffe://two.org/a', ttlSeconds: 60 });
  const token = one.issueJwtSvid({ id: 'spiffe://two.org/a', audience: 'us', ttlSeconds: 60 });
  expect(verifyX509Svid(own.certificates, federation).id.toString()).toBe('spiffe://one.org/a');
  expect(() => verifyX509Svid(forged.certificates, federation)).toThrow('No path');
  expect(() => verifyJwtSvid(token, { bundles: federation, audience: 'us' })).toThrow();
});

test("F-11: beside one's own bundles the first source that knows a trust domain answers alone", async () => {
  const own = new BundleSource(new Map([['one.org', spiffeBundleOf(one)]]));
  const impostor = new BundleSource(
    new Map([
      ['one.org', spiffeBundleOf(CertificateAuthority.create('one.org'))],
      ['two.org', spiffeBundleOf(two)],
    ]),
  );
  const bundles = firstX509BundleSource(own, impostor);
  expect(bundles.getX509Bundle(ONE)).toBe(own.getX509Bundle(ONE));
  expect(firstJwtBundleSource(own, impostor).getJwtBundle(ONE)).toBe(own.getJwtBundle(ONE));
  expect(bundles.getX509Bundle(two.trustDomain)?.trustDomain.name).toBe('two.org');
  expect(bundles.getX509Bundle(TrustDomain.parse('three.org'))).toBeUndefined();
});

describe('the end of a relationship', () => {
  test('F-13: it deletes the bundle at once and asks no more', async () => {
    const { endpoint, federation, clock } = await polling(spiffeBundleOf(one, { refreshHintSeconds: 60 }));
    const { certificates } = one.issueX509Svid({ id: 'spiffe://one.org/a', ttlSeconds: 600 });
    expect(verifyX509Svid(certificates, federation).id.path).toBe('/a');
    expect(await federation.end('one.org')).toBe(true);
    expect(() => verifyX509Svid(certificates, federation)).toThrow('no X.509 bundle');
    expect(federation.health()).toEqual([]);
    await clock.advance(3_600_000);
    expect(endpoint.asked).toBe(1);
    expect(await federation.end('one.org')).toBe(false);
  });

  test('F-13: a fetch that is under way brings nothing back', async () => {
    const { endpoint, federation, clock } = await polling(spiffeBundleOf(one, { refreshHintSeconds: 60 }));
    const request = endpoint.nextRequest();
    await clock.advance(60_000);
    await request;
    await federation.end('one.org');
    expect(federation.getX509Bundle(ONE)).toBeUndefined();
  });

  test('F-13: it can be established anew', async () => {
    const { endpoint, federation } = await polling(spiffeBundleOf(one, { sequence: 9n }));
    await expect(federation.establish(fromWeb(endpoint))).rejects.toThrow('twice');
    await federation.end(ONE);
    endpoint.bundle = spiffeBundleOf(one, { sequence: 1n });
    await federation.establish(fromWeb(endpoint));
    expect(federation.getSpiffeBundle(ONE)?.sequence).toBe(1n);
  });

  test('after close nothing is fetched, and what was fetched stays readable', async () => {
    const { endpoint, federation, clock } = await polling(spiffeBundleOf(one));
    await federation.close();
    await federation.close();
    await clock.advance(3_600_000);
    expect(endpoint.asked).toBe(1);
    expect(federation.getX509Bundle(ONE)).toBeDefined();
    await expect(federation.establish(fromWeb(endpoint, 'two.org'))).rejects.toMatchObject({ code: 'SOURCE_CLOSED' });
  });
});

test('F-14: every fetch leaves a line and a count, whether it succeeded or not', async () => {
  const counts: string[] = [];
  const { endpoint, poll, lines } = await polling(spiffeBundleOf(one, { sequence: 4n, refreshHintSeconds: 60 }), {
    metrics: { bundleFetch: (trustDomain, status) => counts.push(`${trustDomain} ${status}`) },
  });
  await poll(60);
  endpoint.bundle = undefined;
  await poll(60);
  expect(counts).toEqual(['one.org updated', 'one.org unchanged', 'one.org error']);
  expect(lines).toMatchObject([
    { level: 'info', fields: { trustDomain: 'one.org', profile: 'https_web', sequence: '4', change: 'updated' } },
    { level: 'info', fields: { trustDomain: 'one.org', change: 'unchanged' } },
    { level: 'warn', fields: { trustDomain: 'one.org', code: 'BUNDLE_FETCH_FAILED' } },
  ]);
});
