import { realpathSync, statSync } from 'node:fs';
import { get } from 'node:https';
import { type SpireStack, startSpire } from '@neural-hive/real-stack';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  JwtSource,
  parseJwtBundle,
  type SpiffeErrorCode,
  TrustDomain,
  verifyJwtSvid,
  verifyX509Svid,
  WorkloadApiClient,
  X509Source,
  type X509Svid,
} from '../index.ts';

const ISSUER = 'https://issuer.example.org';
const THIS_PROCESS = [`unix:path:${realpathSync(process.execPath)}`];
const ID = 'spiffe://example.org/workload';
const AUDIENCE = 'registry.example.org';
/** The agent and the server tell each other of changes twice a second. */
const PATIENCE = { timeout: 25_000, interval: 100 };

let spire: SpireStack;
const cleanups: (() => unknown)[] = [];

beforeAll(async () => {
  spire = await startSpire({ oidc: true, jwtIssuer: ISSUER });
});
afterAll(() => spire?.stop());
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await denied();
});

/** Until the agent knows that no entry is left, so that no test sees the identities of the one before. */
async function denied(): Promise<void> {
  const client = new WorkloadApiClient({ endpoint: spire.endpoint });
  const refused = { code: 'WORKLOAD_API_PERMISSION_DENIED' };
  await vi.waitFor(() => expect(client.fetchX509Context()).rejects.toMatchObject(refused), PATIENCE);
  client.close();
}

async function identify(entry: Partial<Parameters<SpireStack['createEntry']>[0]> = {}): Promise<string> {
  const entryId = await spire.createEntry({ id: ID, selectors: THIS_PROCESS, ...entry });
  cleanups.push(() => spire.deleteEntry(entryId));
  return entryId;
}

function openClient(): WorkloadApiClient {
  const client = new WorkloadApiClient({ endpoint: spire.endpoint });
  cleanups.push(() => client.close());
  return client;
}

async function openX509(options: Parameters<typeof X509Source.open>[0] = {}): Promise<X509Source> {
  const source = await X509Source.open({ endpoint: spire.endpoint, initialSyncTimeoutMs: 20_000, ...options });
  cleanups.push(() => source.close());
  return source;
}

async function openJwt(): Promise<JwtSource> {
  const source = await JwtSource.open({ endpoint: spire.endpoint, initialSyncTimeoutMs: 20_000 });
  cleanups.push(() => source.close());
  return source;
}

function coded(code: SpiffeErrorCode): Error {
  return expect.objectContaining({ code }) as Error;
}

function serialOf(svid: X509Svid): string {
  return Buffer.from(svid.certificates[0] ?? []).toString('base64');
}

describe('registration', () => {
  test('a process without an entry is denied, and is served as soon as there is one', async () => {
    const client = openClient();
    await expect(client.fetchX509Context()).rejects.toMatchObject({ code: 'WORKLOAD_API_PERMISSION_DENIED' });
    await expect(client.fetchJwtSvids({ audience: [AUDIENCE] })).rejects.toMatchObject({
      code: 'WORKLOAD_API_PERMISSION_DENIED',
    });
    const hopeless = X509Source.open({ endpoint: spire.endpoint, initialSyncTimeoutMs: 500 });
    await expect(hopeless).rejects.toMatchObject({
      code: 'SOURCE_NOT_READY',
      cause: expect.objectContaining({ code: 'WORKLOAD_API_PERMISSION_DENIED' }),
    });

    const opening = openX509();
    await identify();
    const source = await opening;
    expect(source.getX509Svid().id.toString()).toBe(ID);
    expect(source.health()).toMatchObject({ state: 'healthy' });
  });

  test('an identity whose entry is deleted is withdrawn', async () => {
    const entryId = await identify();
    const source = await openX509();
    expect(source.getX509Svid().id.toString()).toBe(ID);
    cleanups.length = 0;
    cleanups.push(() => source.close());
    await spire.deleteEntry(entryId);
    await vi.waitFor(() => expect(() => source.getX509Svid()).toThrow(coded('SVID_WITHDRAWN')), PATIENCE);
    expect(source.health().state).toBe('unhealthy');
  });

  test('several identities come with their hints, and the picker chooses', async () => {
    await identify({ id: `${ID}/internal`, hint: 'internal' });
    await identify({ id: `${ID}/external`, hint: 'external' });
    const client = openClient();
    const hints = async () => (await client.fetchX509Context()).svids.map(({ id, hint }) => `${id} ${hint}`).sort();
    await vi.waitFor(
      async () => expect(await hints()).toEqual([`${ID}/external external`, `${ID}/internal internal`]),
      PATIENCE,
    );
    const pick = (svids: readonly [X509Svid, ...X509Svid[]]) =>
      svids.find(({ hint }) => hint === 'external') ?? svids[0];
    const source = await openX509({ pick });
    expect(source.getX509Svid().id.toString()).toBe(`${ID}/external`);

    const jwt = await openJwt();
    const internal = await jwt.fetchJwtSvid({ audience: AUDIENCE, subject: `${ID}/internal` });
    expect(internal.id.toString()).toBe(`${ID}/internal`);
    await expect(jwt.fetchJwtSvid({ audience: AUDIENCE, subject: `${ID}/nobody` })).rejects.toThrow();
  });
});

describe('X509-SVIDs', () => {
  test('verify with the bundle that comes with them', async () => {
    await identify({ dnsNames: ['workload.example.org'] });
    const source = await openX509();
    const { certificates, expiresAtMs, issuedAtMs } = source.getX509Svid();
    expect(verifyX509Svid(certificates, source).id.toString()).toBe(ID);
    expect(expiresAtMs - issuedAtMs).toBe(3_610_000);
    expect(() => verifyX509Svid(certificates, source, { nowMs: expiresAtMs + 1 })).toThrow(coded('X509_SVID_EXPIRED'));
    const bundles = await openClient().fetchX509Bundles();
    expect([...bundles.keys()]).toEqual(['example.org']);
    expect(verifyX509Svid(certificates, { getX509Bundle: ({ name }) => bundles.get(name) }).chain).toHaveLength(2);
  });

  test('are renewed by the agent before they end, each valid when it is handed out', async () => {
    // Counted from ten seconds before the issue, half of its life is over after five.
    await identify({ id: `${ID}/brief`, x509TtlSeconds: 20 });
    const source = await openX509();
    const seen = [source.getX509Svid()];
    const signal = AbortSignal.timeout(PATIENCE.timeout);
    while (seen.length < 3) {
      const next = await source.waitForUpdate({ signal });
      if (serialOf(next) !== serialOf(seen.at(-1) ?? next)) seen.push(next);
      expect(verifyX509Svid(next.certificates, source).id.toString()).toBe(`${ID}/brief`);
    }
    const expiries = seen.map(({ expiresAtMs }) => expiresAtMs);
    expect([...expiries].sort((a, b) => a - b)).toEqual(expiries);
    expect(new Set(seen.map((svid) => svid.privateKeyPem())).size).toBe(3);
    expect(source.generation).toBeGreaterThanOrEqual(3);
  });
});

describe('an agent that goes away', () => {
  test('is found again behind a new socket; meanwhile the last SVID serves', async () => {
    await identify({ id: `${ID}/steady` });
    const source = await openX509();
    const before = source.getX509Svid();
    const jwt = await openJwt();
    await jwt.fetchJwtSvid({ audience: AUDIENCE });
    const socket = spire.endpoint.slice('unix://'.length);
    const { ino, ctimeMs } = statSync(socket);

    await spire.stopAgent();
    await vi.waitFor(() => expect(source.health().state).toBe('degraded'), PATIENCE);
    expect(source.getX509Svid()).toBe(before);
    expect((await jwt.fetchJwtSvid({ audience: AUDIENCE })).id.toString()).toBe(`${ID}/steady`);
    await expect(jwt.fetchJwtSvid({ audience: 'another' })).rejects.toMatchObject({ code: 'WORKLOAD_API_UNAVAILABLE' });

    const updated = source.waitForUpdate({ signal: AbortSignal.timeout(PATIENCE.timeout) });
    await spire.startAgent();
    const after = await updated;
    const now = statSync(socket);
    expect(now.ino !== ino || now.ctimeMs !== ctimeMs).toBe(true);
    expect(after.id.toString()).toBe(`${ID}/steady`);
    // The agent keeps workload keys in memory only.
    expect(serialOf(after)).not.toBe(serialOf(before));
    expect(verifyX509Svid(after.certificates, source).id.toString()).toBe(`${ID}/steady`);
    expect(source.health().state).toBe('healthy');
    await vi.waitFor(() => jwt.fetchJwtSvid({ audience: 'another' }), PATIENCE);
    await vi.waitFor(() => expect(jwt.health().state).toBe('healthy'), PATIENCE);
  });
});

test('an SVID ends at its own time when no agent renews it, and is replaced when one is back', async () => {
  await identify({ id: `${ID}/ending`, x509TtlSeconds: 12 });
  const source = await openX509();
  await spire.stopAgent();
  const last = source.getX509Svid();
  expect(verifyX509Svid(last.certificates, source).id.toString()).toBe(`${ID}/ending`);
  await vi.waitFor(() => expect(source.health().state).toBe('unhealthy'), PATIENCE);
  expect(source.health()).toMatchObject({ lastError: { code: 'WORKLOAD_API_UNAVAILABLE' } });
  expect(() => verifyX509Svid(last.certificates, source)).toThrow(coded('X509_SVID_EXPIRED'));

  await spire.startAgent();
  await vi.waitFor(() => expect(source.health().state).toBe('healthy'), PATIENCE);
  expect(verifyX509Svid(source.getX509Svid().certificates, source).id.toString()).toBe(`${ID}/ending`);
});

/** What the OIDC provider serves at a path. */
function fetchOidc(path: string): Promise<string> {
  const { address, ca } = spire.oidc ?? { address: '', ca: '' };
  return new Promise((resolve, reject) => {
    get(`${address}${path}`, { ca, agent: false }, (answer) => {
      let body = '';
      answer.on('data', (chunk: Buffer) => {
        body += chunk;
      });
      answer.on('end', () => resolve(body));
    }).on('error', reject);
  });
}

describe('JWT-SVIDs', () => {
  test('verify here with the bundles of the Workload API, and at the agent', async () => {
    await identify({ id: `${ID}/jwt` });
    const jwt = await openJwt();
    const { token, id } = await vi.waitFor(
      () => jwt.fetchJwtSvid({ audience: AUDIENCE, subject: `${ID}/jwt` }),
      PATIENCE,
    );
    const text = token.reveal();
    const rules = { bundles: jwt, audience: AUDIENCE, issuer: ISSUER, leewaySeconds: 0, strictHeaders: true };
    const verified = verifyJwtSvid(text, rules);
    expect(verified.id.toString()).toBe(id.toString());
    expect(verified.claims).toMatchObject({ iss: ISSUER, sub: `${ID}/jwt`, aud: [AUDIENCE] });
    expect(() => verifyJwtSvid(text, { ...rules, audience: 'another' })).toThrow(coded('JWT_AUDIENCE_REFUSED'));
    expect(() => verifyJwtSvid(text, { ...rules, issuer: `${ISSUER}/` })).toThrow(coded('JWT_ISSUER_REFUSED'));
    expect(() => verifyJwtSvid(text, { ...rules, nowMs: verified.expiresAtMs })).toThrow(coded('JWT_EXPIRED'));

    const client = openClient();
    const judged = await client.validateJwtSvid({ token: text, audience: AUDIENCE });
    expect(judged.id.toString()).toBe(`${ID}/jwt`);
    expect(judged.claims).toMatchObject({ iss: ISSUER, sub: `${ID}/jwt` });
    await expect(client.validateJwtSvid({ token: text, audience: 'another' })).rejects.toMatchObject({
      code: 'WORKLOAD_API_INVALID_ARGUMENT',
    });
  });

  test('verify with the keys that the OIDC provider serves', async () => {
    await identify({ id: `${ID}/oidc` });
    const jwt = await openJwt();
    const { token } = await jwt.fetchJwtSvid({ audience: AUDIENCE, subject: `${ID}/oidc` });
    const discovered = JSON.parse(await fetchOidc('/.well-known/openid-configuration')) as Record<string, unknown>;
    expect(discovered).toMatchObject({ issuer: ISSUER, jwks_uri: `${spire.oidc?.address}/keys` });
    const bundle = parseJwtBundle(TrustDomain.parse('example.org'), await fetchOidc('/keys'));
    const bundles = { getJwtBundle: () => bundle };
    expect(verifyJwtSvid(token.reveal(), { bundles, audience: AUDIENCE, issuer: ISSUER }).id.toString()).toBe(
      `${ID}/oidc`,
    );
    const noKeys = { getJwtBundle: () => ({ ...bundle, keys: [] }) };
    expect(() => verifyJwtSvid(token.reveal(), { bundles: noKeys, audience: AUDIENCE })).toThrow(
      coded('JWT_SIGNATURE_INVALID'),
    );
  });

  test('are renewed before they end, and none that has ended is handed out', async () => {
    await identify({ id: `${ID}/token`, jwtTtlSeconds: 8 });
    const jwt = await openJwt();
    const request = { audience: AUDIENCE, subject: `${ID}/token` };
    const tokens = new Set<string>();
    const first = await jwt.fetchJwtSvid(request);
    expect(first.expiresAtMs - (first.issuedAtMs ?? 0)).toBe(8_000);
    await vi.waitFor(async () => {
      const { token, expiresAtMs } = await jwt.fetchJwtSvid(request);
      expect(expiresAtMs).toBeGreaterThan(Date.now());
      verifyJwtSvid(token.reveal(), { bundles: jwt, audience: AUDIENCE, leewaySeconds: 0 });
      tokens.add(token.reveal());
      expect(tokens.size).toBe(3);
    }, PATIENCE);
  });
});
