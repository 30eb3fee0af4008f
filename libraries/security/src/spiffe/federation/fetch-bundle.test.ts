import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { connect } from 'node:tls';
import { Agent, request } from 'undici';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { CertificateAuthority } from '../../testing/certificate-authority.ts';
import { FixedIdentity } from '../../testing/fixed-identity.ts';
import { spiffeBundleOf } from '../../testing/spiffe-bundles.ts';
import { encodeSpiffeBundle } from '../bundle/spiffe/encode.ts';
import { parseSpiffeBundle } from '../bundle/spiffe/parse.ts';
import { BundleSource } from '../source/bundle-source.ts';
import { SpiffeError, type SpiffeErrorCode } from '../spiffe-error.ts';
import { TrustDomain } from '../trust-domain.ts';
import type { BundleEndpoint } from './bundle-endpoint.ts';
import { bundleServer } from './bundle-server.ts';
import { type FetchBundleOptions, fetchBundle } from './fetch-bundle.ts';
import { listening, rawEndpoint, type TestEndpoint } from './testing/endpoint.ts';

const ENDPOINT_ID = 'spiffe://foreign.org/bundle-server';
const foreign = CertificateAuthority.create('foreign.org');
/** Stands for the public authorities. */
const web = CertificateAuthority.create('web.example');
const bundle = spiffeBundleOf(foreign, { sequence: 7n, refreshHintSeconds: 60 });
const document = encodeSpiffeBundle(bundle);
const trusting = { bundles: new BundleSource(new Map([['foreign.org', bundle]])) };

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
async function kept(endpoint: Promise<TestEndpoint>): Promise<TestEndpoint> {
  const opened = await endpoint;
  cleanups.push(() => opened.close());
  return opened;
}

const certificate = (names = { dnsNames: ['localhost'] }) => web.issueTlsCertificate({ ...names, ttlSeconds: 60 });
const serveWeb = (listener: RequestListener) => kept(rawEndpoint(certificate(), listener));
const serveSpiffe = (listener: RequestListener, id = ENDPOINT_ID, authority = foreign) =>
  kept(rawEndpoint(authority.issueX509Svid({ id, ttlSeconds: 60 }), listener));
const answer: RequestListener = (_request, response) => void response.end(document);

function webAt(url: string): BundleEndpoint {
  return { trustDomain: 'foreign.org', url, profile: 'https_web', ca: web.rootPem };
}
function spiffeAt(url: string): BundleEndpoint {
  return { trustDomain: 'foreign.org', url, profile: 'https_spiffe', endpointId: ENDPOINT_ID };
}
async function refusal(endpoint: BundleEndpoint, options: FetchBundleOptions = {}): Promise<SpiffeErrorCode> {
  try {
    await fetchBundle(endpoint, options);
  } catch (error) {
    if (error instanceof SpiffeError) return error.code;
    throw error;
  }
  throw new Error('The bundle was fetched');
}

describe('the endpoint', () => {
  test('F-01: URL, profile, trust domain and the ID of the server are each said outright', async () => {
    const { url } = await serveSpiffe(answer);
    const whole = { trustDomain: 'foreign.org', url, profile: 'https_spiffe', endpointId: ENDPOINT_ID } as const;
    expect((await fetchBundle(whole, trusting)).sequence).toBe(7n);
    for (const missing of ['trustDomain', 'url', 'profile', 'endpointId']) {
      const partial = { ...whole, [missing]: undefined } as unknown as BundleEndpoint;
      await expect(fetchBundle(partial, trusting)).rejects.toThrow(TypeError);
    }
  });

  test('F-01: a profile that fails does not fall back to the other', async () => {
    const asWeb = await serveWeb(answer);
    expect((await fetchBundle(webAt(asWeb.url))).sequence).toBe(7n);
    expect(await refusal(spiffeAt(asWeb.url), trusting)).toBe('BUNDLE_ENDPOINT_REFUSED');
    const asSpiffe = await serveSpiffe(answer);
    expect((await fetchBundle(spiffeAt(asSpiffe.url), trusting)).sequence).toBe(7n);
    expect(await refusal({ ...webAt(asSpiffe.url), ca: foreign.rootPem } as BundleEndpoint)).toBe(
      'BUNDLE_ENDPOINT_REFUSED',
    );
  });

  test.each([
    ['http://foreign.org/bundle'],
    ['ftp://foreign.org/'],
    ['https:foreign.org'],
    ['https:\\\\foreign.org'],
    ['//foreign.org/bundle'],
    ['https://'],
    ['https://user@foreign.org/'],
    ['https://user:secret@foreign.org/'],
    ['https://@foreign.org/'],
    ['https://:@foreign.org/'],
    ['https://foreign.org/a b'],
    [' https://foreign.org/'],
    ['https://foreign.org/\n'],
    [`https://foreign.org/${'a'.repeat(2048)}`],
  ])('F-03: %j is no endpoint URL', async (url) => {
    expect(await refusal(webAt(url))).toBe('BUNDLE_URL_REFUSED');
    expect(await refusal(spiffeAt(url), trusting)).toBe('BUNDLE_URL_REFUSED');
  });
});

describe('https_web', () => {
  test('F-02: a server with a trusted certificate for its host is believed', async () => {
    const { url } = await serveWeb(answer);
    expect(await fetchBundle(webAt(url))).toMatchObject({ sequence: 7n, refreshHintSeconds: 60, ignored: [] });
  });

  test('F-04: a certificate for another host, of another authority or out of date is refused', async () => {
    const elsewhere = await kept(rawEndpoint(certificate({ dnsNames: ['elsewhere.example'] }), answer));
    expect(await refusal(webAt(elsewhere.url))).toBe('BUNDLE_ENDPOINT_REFUSED');
    const { url } = await serveWeb(answer);
    expect(await refusal({ ...webAt(url), ca: foreign.rootPem } as BundleEndpoint)).toBe('BUNDLE_ENDPOINT_REFUSED');
    // Without `ca` the authorities that Node brings decide.
    expect(await refusal({ trustDomain: 'foreign.org', url, profile: 'https_web' })).toBe('BUNDLE_ENDPOINT_REFUSED');
    const past = { notBeforeMs: Date.now() - 120_000, ttlSeconds: -60, dnsNames: ['localhost'] };
    const expired = await kept(rawEndpoint(web.issueTlsCertificate(past), answer));
    expect(await refusal(webAt(expired.url))).toBe('BUNDLE_ENDPOINT_REFUSED');
  });

  test('F-04: an environment that switches the check off does not', async () => {
    const elsewhere = await kept(rawEndpoint(certificate({ dnsNames: ['elsewhere.example'] }), answer));
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    // Node warns of the variable, which is set on purpose here.
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    try {
      expect(await refusal(webAt(elsewhere.url))).toBe('BUNDLE_ENDPOINT_REFUSED');
    } finally {
      warned.mockRestore();
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    }
  });

  test('F-04: the bundle belongs to the trust domain that was configured, whatever the host is called', async () => {
    const { url } = await serveWeb(answer);
    const other = TrustDomain.parse('other.org');
    expect((await fetchBundle({ ...webAt(url), trustDomain: other })).trustDomain.name).toBe('other.org');
  });
});

describe('https_spiffe', () => {
  test('F-05: a server with a valid X509-SVID of exactly the configured ID is believed', async () => {
    const { url } = await serveSpiffe(answer);
    expect((await fetchBundle(spiffeAt(url), trusting)).sequence).toBe(7n);
  });

  test.each([
    ['spiffe://foreign.org/other', foreign],
    ['spiffe://foreign.org/bundle-server/below', foreign],
    [ENDPOINT_ID, CertificateAuthority.create('foreign.org')],
    ['spiffe://other.org/bundle-server', CertificateAuthority.create('other.org')],
  ])('F-05: a server that is %s is refused', async (id, authority) => {
    const { url } = await serveSpiffe(answer, id, authority);
    expect(await refusal(spiffeAt(url), trusting)).toBe('BUNDLE_ENDPOINT_REFUSED');
  });

  test('F-05: without a bundle of the trust domain of the server nothing is fetched', async () => {
    let asked = 0;
    const { url } = await serveSpiffe((request, response) => {
      asked += 1;
      answer(request, response);
    });
    expect(await refusal(spiffeAt(url), { bundles: new BundleSource() })).toBe('BUNDLE_ENDPOINT_REFUSED');
    expect(asked).toBe(0);
    await expect(fetchBundle(spiffeAt(url))).rejects.toThrow('bundles is missing');
  });

  test('F-05: the bundle that is configured beforehand may come as a document', async () => {
    const configured = parseSpiffeBundle(TrustDomain.parse('foreign.org'), document);
    const { url } = await serveSpiffe(answer);
    const bundles = new BundleSource(new Map([['foreign.org', configured]]));
    expect((await fetchBundle(spiffeAt(url), { bundles })).sequence).toBe(7n);
  });

  test('F-05: the endpoint has the ID of a workload', async () => {
    const endpoint = { ...spiffeAt('https://localhost/'), endpointId: 'spiffe://foreign.org' } as BundleEndpoint;
    await expect(fetchBundle(endpoint, trusting)).rejects.toThrow(TypeError);
  });
});

describe('redirects', () => {
  const to =
    (location: string, status = 307): RequestListener =>
    (_request, response) =>
      void response.writeHead(status, { location }).end('moved');

  test.each([301, 302, 303, 307, 308])('F-07: a redirect with status %i is followed', async (status) => {
    const target = await serveWeb(answer);
    const first = await serveWeb(to(target.url, status));
    expect((await fetchBundle(webAt(first.url))).sequence).toBe(7n);
  });

  test('F-07: a relative redirect stays at the server', async () => {
    const { url } = await serveWeb((request, response) =>
      request.url === '/there?x=1' ? answer(request, response) : to('/there?x=1')(request, response),
    );
    expect((await fetchBundle(webAt(url))).sequence).toBe(7n);
  });

  test.each([
    'http://localhost/',
    'https://user@localhost/',
    '//user@localhost/',
    'file:///etc/passwd',
    'spiffe://a/b',
  ])('F-07: a redirect to %s is refused', async (location) => {
    const { url } = await serveWeb(to(location));
    expect(await refusal(webAt(url))).toBe('BUNDLE_URL_REFUSED');
  });

  test('F-07: the server that a redirect leads to is held to the same rules', async () => {
    const stranger = await kept(rawEndpoint(certificate({ dnsNames: ['elsewhere.example'] }), answer));
    const first = await serveWeb(to(stranger.url));
    expect(await refusal(webAt(first.url))).toBe('BUNDLE_ENDPOINT_REFUSED');

    const same = await serveSpiffe(answer);
    expect((await fetchBundle(spiffeAt((await serveSpiffe(to(same.url))).url), trusting)).sequence).toBe(7n);
    const other = await serveSpiffe(answer, 'spiffe://foreign.org/other');
    expect(await refusal(spiffeAt((await serveSpiffe(to(other.url))).url), trusting)).toBe('BUNDLE_ENDPOINT_REFUSED');
  });

  test('F-07: every fetch starts at the configured URL', async () => {
    let asked = 0;
    const target = await serveWeb(answer);
    const first = await serveWeb((request, response) => {
      asked += 1;
      to(target.url, 301)(request, response);
    });
    await fetchBundle(webAt(first.url));
    await fetchBundle(webAt(first.url));
    expect(asked).toBe(2);
  });

  test('F-07: a circle ends, and so does a redirect to nowhere', async () => {
    const circle = await serveWeb(to('/again'));
    expect(await refusal(webAt(circle.url))).toBe('BUNDLE_FETCH_FAILED');
    const nowhere = await serveWeb((_request, response) => void response.writeHead(302).end());
    expect(await refusal(webAt(nowhere.url))).toBe('BUNDLE_FETCH_FAILED');
  });
});

describe('the answer', () => {
  test.each([201, 204, 300, 304, 400, 404, 500, 503])('status %i is no bundle', async (status) => {
    const { url } = await serveWeb((_request, response) => void response.writeHead(status).end());
    expect(await refusal(webAt(url))).toBe('BUNDLE_FETCH_FAILED');
  });

  test.each([
    ['an error page', '<html></html>'],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])],
    ['JSON without keys', '{}'],
  ])('%s is no bundle', async (_what, body) => {
    const { url } = await serveWeb((_request, response) => void response.end(body));
    expect(await refusal(webAt(url))).toBe('SPIFFE_BUNDLE_INVALID');
  });

  test('an answer that is too long is given up in the middle', async () => {
    const { url } = await serveWeb((_request, response) => void response.end(document));
    expect((await fetchBundle(webAt(url), { maxBytes: document.length })).sequence).toBe(7n);
    expect(await refusal(webAt(url), { maxBytes: document.length - 1 })).toBe('BUNDLE_FETCH_FAILED');
    const endless = await serveWeb((_request, response) => {
      const more = (): void => {
        while (response.write('x'.repeat(65_536)));
        response.once('drain', more);
      };
      more();
    });
    expect(await refusal(webAt(endless.url))).toBe('BUNDLE_FETCH_FAILED');
  });

  test('an answer that is compressed unasked is refused', async () => {
    const { url } = await serveWeb(
      (_request, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(document),
    );
    expect(await refusal(webAt(url))).toBe('BUNDLE_FETCH_FAILED');
  });

  test('an answer that stops in the middle is refused', async () => {
    const { url } = await serveWeb((_request, response) => {
      response.writeHead(200, { 'content-length': document.length });
      response.write(document.slice(0, 10), () => response.destroy());
    });
    expect(await refusal(webAt(url))).toBe('BUNDLE_FETCH_FAILED');
  });

  test('a server that does not answer in time, or at all, is given up', async () => {
    const silent = await serveWeb(() => undefined);
    expect(await refusal(webAt(silent.url), { timeoutMs: 100 })).toBe('BUNDLE_FETCH_FAILED');
    const stalled = await serveWeb((_request, response) => void response.write(document.slice(0, 10)));
    expect(await refusal(webAt(stalled.url), { timeoutMs: 100 })).toBe('BUNDLE_FETCH_FAILED');
    const gone = await serveWeb(answer);
    await gone.close();
    cleanups.pop();
    expect(await refusal(webAt(gone.url))).toBe('BUNDLE_FETCH_FAILED');
  });

  test('a server that wants another protocol is given up at once', async () => {
    const { url } = await serveWeb(
      ({ socket }) => void socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
    );
    expect(await refusal(webAt(url), { timeoutMs: 5_000 })).toBe('BUNDLE_FETCH_FAILED');
  });

  test('a caller that gives up gets its own reason', async () => {
    const { url } = await serveWeb(() => undefined);
    const giveUp = new AbortController();
    const fetching = fetchBundle(webAt(url), { signal: giveUp.signal });
    const reason = new Error('enough');
    giveUp.abort(reason);
    await expect(fetching).rejects.toBe(reason);
  });

  test('no message repeats the query of a URL', async () => {
    const { url } = await serveWeb((_request, response) => void response.writeHead(500).end());
    const failure = await fetchBundle(webAt(`${url}?token=hunter2`)).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(SpiffeError);
    expect(String(failure)).not.toContain('hunter2');
  });
});

describe('bundleServer', () => {
  test('F-08: it serves the newest bundle as JSON in UTF-8 and asks nobody for a certificate', async () => {
    let current: typeof bundle | undefined = bundle;
    const key = certificate();
    const pem = {
      cert: key.certificateChainPem,
      key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    };
    const server = await kept(listening(bundleServer({ bundle: () => current, certificate: pem, path: '/bundle' })));
    expect((await fetchBundle(webAt(server.url))).sequence).toBe(7n);
    current = { ...bundle, sequence: 8n };
    expect((await fetchBundle(webAt(server.url))).sequence).toBe(8n);
    const dispatcher = new Agent({ connect: { ca: web.rootPem } });
    const got = await request(server.url, { dispatcher });
    expect(got.headers['content-type']).toBe('application/json');
    expect(await got.body.text()).toContain('"spiffe_sequence":8');
    const head = await request(server.url, { dispatcher, method: 'HEAD' });
    expect([head.statusCode, await head.body.text()]).toEqual([200, '']);
    const posted = await request(server.url, { dispatcher, method: 'POST', body: '{}' });
    expect([posted.statusCode, posted.headers.allow]).toEqual([405, 'GET, HEAD']);
    await posted.body.dump();
    const elsewhere = await request(new URL('/', server.url), { dispatcher });
    expect(elsewhere.statusCode).toBe(404);
    await elsewhere.body.dump();
    current = undefined;
    expect(await refusal(webAt(server.url))).toBe('BUNDLE_FETCH_FAILED');
    await dispatcher.close();
  });

  test('F-08: over https_spiffe it shows the SVID of the moment, and none once that is withdrawn', async () => {
    const identity = FixedIdentity.issue(foreign, ENDPOINT_ID);
    const server = await kept(listening(bundleServer({ bundle: () => bundle, identity })));
    expect((await fetchBundle(spiffeAt(server.url), trusting)).sequence).toBe(7n);
    const renamed = FixedIdentity.issue(foreign, 'spiffe://foreign.org/other').getX509Svid();
    identity.setX509Svid(renamed);
    expect(await refusal(spiffeAt(server.url), trusting)).toBe('BUNDLE_ENDPOINT_REFUSED');
    identity.setX509Svid(undefined);
    expect(await refusal(spiffeAt(server.url), trusting)).toBe('BUNDLE_FETCH_FAILED');
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'F-08: it speaks %s, as intermediate compatibility asks',
    async (version) => {
      const identity = FixedIdentity.issue(foreign, ENDPOINT_ID);
      const server = await kept(listening(bundleServer({ bundle: () => bundle, identity })));
      const socket = connect({
        host: '127.0.0.1',
        port: server.port,
        rejectUnauthorized: false,
        minVersion: version,
        maxVersion: version,
      });
      await once(socket, 'secureConnect');
      expect(socket.getProtocol()).toBe(version);
      socket.destroy();
    },
  );

  test('F-08: it speaks nothing older than TLS 1.2', async () => {
    const identity = FixedIdentity.issue(foreign, ENDPOINT_ID);
    const server = await kept(listening(bundleServer({ bundle: () => bundle, identity })));
    const socket = connect({
      host: '127.0.0.1',
      port: server.port,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    await expect(once(socket, 'secureConnect')).rejects.toThrow();
    socket.destroy();
  });
});
