import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type Logger, Secret } from '../../common/index.ts';
import { CertificateAuthority } from '../../testing/certificate-authority.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { spiffeBundleOf } from '../../testing/spiffe-bundles.ts';
import { WorkloadApiServer } from '../../testing/workload-api-server.ts';
import { WorkloadIssuer } from '../../testing/workload-issuer.ts';
import { encodeBundleMap } from '../bundle/spiffe/bundle-map.ts';
import type { SpiffeMetrics } from '../source/spiffe-metrics.ts';
import { X509Source } from '../source/x509-source.ts';
import { SpiffeError, type SpiffeErrorCode } from '../spiffe-error.ts';
import { verifyJwtSvid } from '../svid/jwt/verify.ts';
import { verifyX509Svid } from '../svid/x509/verify.ts';
import { FileSource, type FileSourceOptions } from './file-source.ts';
import { openWithFallback } from './open-with-fallback.ts';

const ID = 'spiffe://example.org/laptop';
const authority = CertificateAuthority.create('example.org');
const other = CertificateAuthority.create('other.org');

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function folder() {
  const path = mkdtempSync(join(tmpdir(), 'nh-fallback-'));
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  const put = (name: string, text: string | Uint8Array) => {
    // As every careful writer does, so that nobody reads a half.
    writeFileSync(join(path, `.${name}`), text);
    renameSync(join(path, `.${name}`), join(path, name));
    return { file: join(path, name) };
  };
  const putX509 = (ttlSeconds = 600, id = ID) => {
    const issued = authority.issueX509Svid({ id, ttlSeconds });
    const key = issued.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    return { certificates: put('svid.pem', issued.certificateChainPem), privateKey: put('key.pem', key) };
  };
  return { path, put, putX509 };
}

const token = (audience: string | string[] = 'us', ttlSeconds = 600, id = ID) =>
  authority.issueJwtSvid({ id, audience, ttlSeconds });

function recorder() {
  const counts: string[] = [];
  const lines: string[] = [];
  const write = (level: string) => (_fields: object, message: string) => void lines.push(`${level}: ${message}`);
  const metrics: SpiffeMetrics = { svidFetch: (type, status) => void counts.push(`${type} ${status}`) };
  const logger: Logger = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  return { counts, lines, metrics, logger };
}

async function open(options: Partial<FileSourceOptions>): Promise<FileSource> {
  const source = await FileSource.open({ environment: 'test', ...options });
  cleanups.push(() => source.close());
  return source;
}

async function refusal(work: Promise<unknown>): Promise<SpiffeErrorCode> {
  try {
    await work;
  } catch (error) {
    if (error instanceof SpiffeError) return error.code;
    throw error;
  }
  throw new Error('Nothing was refused');
}

test.each(['development', 'dev', 'local', 'test'])('%s admits it', async (environment) => {
  const source = await open({ environment, jwt: { text: new Secret(token()) } });
  expect((await source.fetchJwtSvid({ audience: 'us' })).id.toString()).toBe(ID);
});

test.each([undefined, '', 'production', 'prod', 'staging', 'Development', ' test', 'testing'])(
  '%j does not admit it',
  async (environment) => {
    const options = { environment, jwt: { text: new Secret(token()) } };
    expect(await refusal(FileSource.open(options))).toBe('FALLBACK_REFUSED');
    const openAgent = () => Promise.reject(new Error('must not be asked'));
    expect(await refusal(openWithFallback(openAgent, options))).toBe('FALLBACK_REFUSED');
  },
);

test('SVIDs and bundles come from files as they are', async () => {
  const { put, putX509 } = folder();
  const source = await open({
    x509: putX509(),
    jwt: put('token', `${token()}\n`),
    x509Bundle: put('bundle.pem', authority.rootPem),
    jwtBundle: put('bundle.jwks', authority.jwks()),
    bundleMap: put('map.json', encodeBundleMap([spiffeBundleOf(other)])),
  });
  const svid = source.getX509Svid();
  expect(verifyX509Svid(svid.certificates, source).id.toString()).toBe(ID);
  const jwt = await source.fetchJwtSvid({ audience: 'us' });
  expect(verifyJwtSvid(jwt.token.reveal(), { bundles: source, audience: 'us' }).id.toString()).toBe(ID);
  const foreign = other.issueX509Svid({ id: 'spiffe://other.org/a', ttlSeconds: 60 });
  expect(verifyX509Svid(foreign.certificates, source).id.toString()).toBe('spiffe://other.org/a');
});

test('an X509-SVID may come from variables', async () => {
  const issued = authority.issueX509Svid({ id: ID, ttlSeconds: 60 });
  const key = issued.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const source = await open({
    x509: { certificates: { text: new Secret(issued.certificateChainPem) }, privateKey: { text: new Secret(key) } },
  });
  expect(source.getX509Svid().id.toString()).toBe(ID);
});

describe('a token', () => {
  test('is handed out only for audiences that it names itself', async () => {
    const source = await open({ jwt: { text: new Secret(token(['a', 'b'])) } });
    expect((await source.fetchJwtSvid({ audience: ['b', 'a'] })).audience).toEqual(['a', 'b']);
    for (const audience of ['c', ['a', 'c'], []]) {
      expect(await refusal(source.fetchJwtSvid({ audience }))).toBe('JWT_AUDIENCE_REFUSED');
    }
    expect((await source.fetchJwtSvid({ audience: 'a', subject: ID })).id.toString()).toBe(ID);
    expect(await refusal(source.fetchJwtSvid({ audience: 'a', subject: `${ID}/b` }))).toBe('ID_NOT_AUTHORIZED');
  });

  test('ends when it says so itself', async () => {
    const clock = new FakeClock(Math.floor(Date.now() / 1000) * 1000);
    const source = await open({ clock, jwt: { text: new Secret(token('us', 60)) } });
    const { expiresAtMs } = await source.fetchJwtSvid({ audience: 'us' });
    expect(source.health()).toMatchObject({ state: 'degraded', expiresAtMs });
    await clock.advance(expiresAtMs - clock.now());
    expect(await refusal(source.fetchJwtSvid({ audience: 'us' }))).toBe('JWT_EXPIRED');
    expect(source.health()).toMatchObject({ state: 'unhealthy' });
    expect(await refusal(open({ jwt: { text: new Secret(token('us', -60)) } }))).toBe('JWT_EXPIRED');
  });

  test.each([
    ['a placeholder', 'placeholder-jwt-token', 'JWT_MALFORMED'],
    ['nothing', '', 'JWT_MALFORMED'],
    [
      'one without exp',
      authority.issueJwtSvid({ id: ID, audience: 'us', ttlSeconds: 60, claims: { exp: undefined } }),
      'JWT_CLAIMS_INVALID',
    ],
    [
      'one without aud',
      authority.issueJwtSvid({ id: ID, audience: 'us', ttlSeconds: 60, claims: { aud: undefined } }),
      'JWT_CLAIMS_INVALID',
    ],
    ['one of nobody', authority.issueJwtSvid({ id: 'nobody', audience: 'us', ttlSeconds: 60 }), 'JWT_SUBJECT_INVALID'],
  ])('that is %s is refused', async (_what, text, code) => {
    expect(await refusal(open({ jwt: { text: new Secret(text) } }))).toBe(code);
  });
});

test('SVIDs of different identities, or of another than was expected, are refused', async () => {
  const { putX509 } = folder();
  const x509 = putX509();
  expect((await open({ id: ID, x509, jwt: { text: new Secret(token()) } })).getX509Svid().id.toString()).toBe(ID);
  const stranger = { text: new Secret(token('us', 60, `${ID}/other`)) };
  expect(await refusal(open({ x509, jwt: stranger }))).toBe('FALLBACK_INVALID');
  expect(await refusal(open({ id: `${ID}/other`, x509 }))).toBe('FALLBACK_INVALID');
  await expect(open({})).rejects.toThrow(TypeError);
});

test('an expired X509-SVID and a file that is not there are refused', async () => {
  const { putX509, path } = folder();
  expect(await refusal(open({ x509: putX509(-60) }))).toBe('X509_SVID_EXPIRED');
  expect(await refusal(open({ jwt: { file: join(path, 'missing') } }))).toBe('FALLBACK_INVALID');
});

test('a file that is replaced is read again, and one that is malformed leaves the old one in place', async () => {
  const { put, putX509 } = folder();
  // The clock stands: what is seen here came from the watch on the folder.
  const { counts, metrics, logger, lines } = recorder();
  const source = await open({ x509: putX509(), clock: new FakeClock(Date.now()), metrics, logger });
  const first = source.getX509Svid();
  const updated = new Promise<void>((resolve) => source.onUpdate(resolve));
  putX509(900);
  await updated;
  const second = source.getX509Svid();
  expect(second.expiresAtMs).toBeGreaterThan(first.expiresAtMs);
  expect(source.generation).toBe(2);
  put('svid.pem', 'not a certificate');
  await expect.poll(() => lines.at(-1)).toContain('cannot be read');
  expect(source.getX509Svid()).toBe(second);
  expect(source.health().lastError).toBeInstanceOf(SpiffeError);
  expect(counts).toContain('x509 error');
});

test('a change that no event tells is found by polling', async () => {
  const { put } = folder();
  const clock = new FakeClock(Date.now());
  const source = await open({ jwt: put('token', token('one')), clock, pollMs: 1_000 });
  const updated = new Promise<void>((resolve) => source.onUpdate(resolve));
  put('token', token('two'));
  await clock.advance(1_000);
  await updated;
  expect((await source.fetchJwtSvid({ audience: 'two' })).audience).toEqual(['two']);
});

test('it says so in a line and a count, and never counts as a success', async () => {
  const { counts, lines, metrics, logger } = recorder();
  const { putX509 } = folder();
  const source = await open({ x509: putX509(), jwt: { text: new Secret(token()) }, metrics, logger });
  await source.fetchJwtSvid({ audience: 'us' });
  await refusal(source.fetchJwtSvid({ audience: 'them' }));
  expect(lines).toEqual(['warn: SVIDs come from files or variables and not from an agent']);
  expect(counts).toEqual(['x509 fallback', 'jwt fallback', 'jwt error']);
  expect(source.health().state).toBe('degraded');
});

test('after close nothing is served', async () => {
  const source = await open({ jwt: { text: new Secret(token()) } });
  await source.close();
  await source.close();
  expect(await refusal(source.fetchJwtSvid({ audience: 'us' }))).toBe('SOURCE_CLOSED');
  expect(source.health().state).toBe('unhealthy');
});

describe('openWithFallback', () => {
  async function agent(ids: readonly string[]) {
    const issuer = new WorkloadIssuer({ authority });
    const server = await WorkloadApiServer.listen({ issuer, ids, path: join(folder().path, 'agent.sock') });
    cleanups.push(
      () => issuer.close(),
      () => server.close(),
    );
    return (initialSyncTimeoutMs = 10_000) =>
      X509Source.open({ endpoint: server.endpoint, initialSyncTimeoutMs }).then((source) => {
        cleanups.push(() => source.close());
        return source;
      });
  }

  const fallback = () => ({ environment: 'test', x509: folder().putX509() });

  test('an agent that is there is used', async () => {
    const source = await openWithFallback(await agent([ID]), fallback());
    expect(source).toBeInstanceOf(X509Source);
  });

  test('without an agent, or without an endpoint, the fallback is used', async () => {
    const endpoint = `unix://${join(folder().path, 'nobody.sock')}`;
    const away = () => X509Source.open({ endpoint, initialSyncTimeoutMs: 500 });
    for (const openAgent of [away, undefined]) {
      const source = await openWithFallback(openAgent, fallback());
      cleanups.push(() => source.close());
      expect(source).toBeInstanceOf(FileSource);
      expect(source.getX509Svid().id.toString()).toBe(ID);
    }
  });

  test('an agent that denies an identity is obeyed', async () => {
    const denied = await agent([]);
    const failure = await openWithFallback(() => denied(500), fallback()).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'SOURCE_NOT_READY', cause: { code: 'WORKLOAD_API_PERMISSION_DENIED' } });
  });
});
