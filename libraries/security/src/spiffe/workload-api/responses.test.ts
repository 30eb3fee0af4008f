import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { CertificateAuthority } from '../../testing/index.ts';
import type { X509SVID, X509SVIDResponse } from './gen/spiffe/workload.ts';
import { readJwtBundles, readJwtSvids, readX509Bundles, readX509Context } from './responses.ts';

const ID = 'spiffe://example.org/a';
const authority = CertificateAuthority.create('example.org');
const foreign = CertificateAuthority.create('foreign.org');
const bundle = Buffer.concat(authority.bundle().authorities);
const discarded = expect.objectContaining({ code: 'WORKLOAD_API_INVALID_RESPONSE', retryable: true });

function svidOf(changes: Partial<X509SVID> = {}, id = ID): X509SVID {
  const { certificates, privateKey } = authority.issueX509Svid({ id, ttlSeconds: 60 });
  return {
    spiffeId: id,
    x509Svid: Buffer.concat(certificates),
    x509SvidKey: privateKey.export({ type: 'pkcs8', format: 'der' }),
    bundle,
    hint: '',
    ...changes,
  };
}

const message = (...svids: X509SVID[]): X509SVIDResponse => ({ svids, crl: [], federatedBundles: {} });

describe('an X509-SVID message', () => {
  test('W-09, W-19: holds SVIDs in order, each with its chain, its key and its bundle', () => {
    const middle = authority.issueIntermediate({ commonName: 'middle', ttlSeconds: 600 });
    const issued = middle.issueX509Svid({ id: ID, ttlSeconds: 60 });
    const chained = svidOf({
      x509Svid: Buffer.concat(issued.certificates),
      x509SvidKey: issued.privateKey.export({ type: 'pkcs8', format: 'der' }),
    });
    const { svids, bundles } = readX509Context(message(chained, svidOf({ hint: 'h' }, 'spiffe://example.org/b')));
    expect(svids.map(({ id, hint }) => [id.path, hint])).toEqual([
      ['/a', undefined],
      ['/b', 'h'],
    ]);
    expect(svids[0].certificates).toEqual(issued.certificates);
    expect([...bundles.keys()]).toEqual(['example.org']);
  });

  const other = authority.issueX509Svid({ id: ID, ttlSeconds: 60 });
  const pem = (text: string): Buffer => Buffer.from(text);
  test.each([
    ['W-09, W-06: without an SVID is discarded', message()],
    ['W-09, W-06: without an ID is discarded', message(svidOf({ spiffeId: '' }))],
    ['W-09, W-06: without a certificate is discarded', message(svidOf({ x509Svid: Buffer.alloc(0) }))],
    ['W-09, W-06: without a key is discarded', message(svidOf({ x509SvidKey: Buffer.alloc(0) }))],
    ['W-09, W-06: without a bundle is discarded', message(svidOf({ bundle: Buffer.alloc(0) }))],
    ['W-09: with PEM certificates is discarded', message(svidOf({ x509Svid: pem(other.certificateChainPem) }))],
    ['W-09: with a PEM bundle is discarded', message(svidOf({ bundle: pem(authority.rootPem) }))],
    [
      'W-09: with a key that is not PKCS#8 is discarded',
      message(svidOf({ x509SvidKey: other.privateKey.export({ type: 'sec1', format: 'der' }) })),
    ],
    [
      'W-09: with an encrypted key is discarded',
      message(
        svidOf({
          x509SvidKey: other.privateKey.export({
            type: 'pkcs8',
            format: 'der',
            cipher: 'aes-256-cbc',
            passphrase: 'x',
          }),
        }),
      ),
    ],
    ['W-09: whose first certificate is not the leaf is discarded', message(svidOf({ x509Svid: bundle }))],
    ['W-09: with the ID of another workload is discarded', message(svidOf({ spiffeId: 'spiffe://example.org/b' }))],
    ['W-06: one bad SVID discards the good ones with it', message(svidOf(), svidOf({ bundle: Buffer.alloc(0) }))],
    ['W-20: with a hint over 1024 bytes is discarded', message(svidOf({ hint: 'h'.repeat(1025) }))],
    [
      'W-06: with a bundle that is no trust domain is discarded',
      { ...message(svidOf()), federatedBundles: { 'spiffe://foreign.org/a': bundle } },
    ],
    ['W-06: with a revocation list that is none is discarded', { ...message(svidOf()), crl: [Buffer.of(1)] }],
    ['with too many SVIDs is discarded', message(...Array.from({ length: 65 }, () => svidOf()))],
  ])('%s', (_name, response) => {
    expect(readX509Context(message(svidOf())).svids).toHaveLength(1);
    expect(() => readX509Context(response)).toThrow(discarded);
  });

  test('W-20, W-10: a hint of 1024 bytes is taken, and of two with the same the first counts', () => {
    const hint = 'h'.repeat(1024);
    const ids = ['a', 'b', 'c', 'd'].map((name) => `spiffe://example.org/${name}`);
    const svids = [svidOf({ hint }, ids[0]), svidOf({}, ids[1]), svidOf({ hint }, ids[2]), svidOf({}, ids[3])];
    expect(readX509Context(message(...svids)).svids.map(({ id }) => id.path)).toEqual(['/a', '/b', '/d']);
  });
});

describe('a bundle message', () => {
  const x509 = (bundles: Record<string, Buffer>, crl: Buffer[] = []) => readX509Bundles({ bundles, crl });
  const jwt = (bundles: Record<string, Buffer>) => readJwtBundles({ bundles });
  const jwks = (...keys: unknown[]): Buffer => Buffer.from(JSON.stringify({ keys }));
  const key = { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }), kid: 'a' };

  test('W-13: X.509 bundles are keyed by trust domain ID, one at least; revocation lists may be absent', () => {
    const both = {
      'spiffe://example.org': bundle,
      'spiffe://foreign.org': Buffer.concat(foreign.bundle().authorities),
    };
    expect([...x509(both).keys()]).toEqual(['example.org', 'foreign.org']);
    expect(x509(both).get('foreign.org')?.trustDomain.name).toBe('foreign.org');
    for (const wrong of [{}, { 'example.org': bundle }, { 'spiffe://example.org/a': bundle }, { '': bundle }]) {
      expect(() => x509(wrong as Record<string, Buffer>)).toThrow(discarded);
    }
    expect(() => x509(both, [Buffer.of(1)])).toThrow(discarded);
  });

  test('W-15: JWT bundles are JWK sets keyed by trust domain ID', () => {
    const sent = { 'spiffe://example.org': jwks(key), 'spiffe://foreign.org': Buffer.from(foreign.jwks()) };
    expect([...jwt(sent)].map(([name, { keys }]) => [name, keys.length])).toEqual([
      ['example.org', 1],
      ['foreign.org', 1],
    ]);
    for (const wrong of [{}, { 'example.org': jwks(key) }, { 'spiffe://example.org': Buffer.from('[]') }]) {
      expect(() => jwt(wrong as Record<string, Buffer>)).toThrow(discarded);
    }
  });

  test('W-15, W-12, J-16: keys of other uses are left out, and a set that holds only those accepts no token', () => {
    const others = ['x509-svid', 'wit-svid', 'sig'].map((use) => ({ ...key, use }));
    expect(
      jwt({ 'spiffe://example.org': jwks(...others, { ...key, use: 'jwt-svid' }) }).get('example.org')?.keys,
    ).toHaveLength(1);
    expect(jwt({ 'spiffe://example.org': jwks(...others) }).get('example.org')?.keys).toEqual([]);
  });

  test('W-12: a bundle of one kind is not read as another', () => {
    expect(() => jwt({ 'spiffe://example.org': bundle })).toThrow(discarded);
    expect(() => x509({ 'spiffe://example.org': jwks(key) })).toThrow(discarded);
  });
});

describe('a JWT-SVID message', () => {
  const entry = (audience: string, spiffeId = ID, hint = '') => ({
    spiffeId,
    svid: authority.issueJwtSvid({ id: ID, audience, ttlSeconds: 60 }),
    hint,
  });
  const read = (...svids: ReturnType<typeof entry>[]) => readJwtSvids({ svids }, ['me']);

  test('W-14, W-19: holds one token or more for the audience that was asked for, in order', () => {
    expect(read(entry('me', ID, 'h'), entry('me')).map(({ hint }) => hint)).toEqual(['h', undefined]);
    expect(read(entry('me', ID, 'h'), entry('me', ID, 'h'))).toHaveLength(1);
  });

  test.each([
    ['W-14, W-06: without a token is discarded', []],
    ['W-14: for another audience is discarded', [entry('you')]],
    ['W-14: with the ID of another workload is discarded', [entry('me', 'spiffe://example.org/b')]],
    ['W-06: without an ID is discarded', [entry('me', '')]],
    ['W-06: with an empty token is discarded', [{ ...entry('me'), svid: '' }]],
    ['W-20: with a hint over 1024 bytes is discarded too', [entry('me', ID, 'h'.repeat(1025))]],
  ])('%s', (_name, svids) => {
    expect(() => read(...svids)).toThrow(discarded);
  });
});
