import { expect, test } from 'vitest';
import { CertificateAuthority } from '../../../testing/certificate-authority.ts';
import { spiffeBundleOf } from '../../../testing/spiffe-bundles.ts';
import { BundleSource } from '../../source/bundle-source.ts';
import { SpiffeError } from '../../spiffe-error.ts';
import { TrustDomain } from '../../trust-domain.ts';
import { encodeBundleMap, parseBundleMap } from './bundle-map.ts';

const one = spiffeBundleOf(CertificateAuthority.create('one.org'), { sequence: 3n, refreshHintSeconds: 10 });
const two = spiffeBundleOf(CertificateAuthority.create('two.org'), { sequence: 2n ** 60n + 1n });
const text = encodeBundleMap([one, two]);

function refused(document: string): boolean {
  try {
    parseBundleMap(document);
    return false;
  } catch (error) {
    return error instanceof SpiffeError && error.code === 'BUNDLE_MAP_INVALID';
  }
}

test('B-09: a map gives each trust domain its own bundle', () => {
  const bundles = parseBundleMap(text);
  expect([...bundles.keys()]).toEqual(['one.org', 'two.org']);
  expect(bundles.get('one.org')).toMatchObject({ sequence: 3n, refreshHintSeconds: 10 });
  expect(bundles.get('two.org')?.sequence).toBe(2n ** 60n + 1n);
  expect(bundles.get('two.org')?.x509.authorities).toEqual(two.x509.authorities.map((der) => Buffer.from(der)));
});

test('B-09: trust_domains is there, and may be empty', () => {
  expect(parseBundleMap('{"trust_domains":{}}').size).toBe(0);
  for (const document of ['{}', '[]', '{"trust_domains":[]}', '{"trust_domains":null}']) {
    expect(refused(document)).toBe(true);
  }
});

test('B-09: a trust domain that is named twice refuses the map, however it is written', () => {
  expect(refused('{"trust_domains":{"a.org":{"keys":[]},"b.org":{"keys":[]}}}')).toBe(false);
  expect(refused('{"trust_domains":{"a.org":{"keys":[]},"a.org":{"keys":[]}}}')).toBe(true);
  expect(refused('{"trust_domains":{"a.org":{"keys":[]},"\\u0061.org":{"keys":[]}}}')).toBe(true);
  expect(() => encodeBundleMap([one, one])).toThrow(TypeError);
});

test.each(['', 'A.org', 'a.org/', 'spiffe://a.org', 'ä.org'])('B-09: the name %j refuses the map', (name) => {
  expect(refused(`{"trust_domains":{${JSON.stringify(name)}:{"keys":[]}}}`)).toBe(true);
});

test('B-09: one malformed bundle refuses the whole map', () => {
  expect(refused('{"trust_domains":{"a.org":{"keys":[]},"b.org":{}}}')).toBe(true);
});

test('B-09: a map is taken in at once, and what it no longer names is gone', () => {
  const source = new BundleSource(parseBundleMap(text));
  const seen: string[] = [];
  const [first, second] = [one.trustDomain, two.trustDomain];
  source.onUpdate(({ name }) => {
    seen.push(`${name}: ${source.getX509Bundle(first) === undefined} ${source.getX509Bundle(second) === undefined}`);
  });
  source.replaceAll(parseBundleMap(encodeBundleMap([spiffeBundleOf(CertificateAuthority.create('three.org')), two])));
  expect(seen).toEqual(['one.org: true false', 'two.org: true false', 'three.org: true false']);
  expect(source.trustDomains.map(({ name }) => name)).toEqual(['three.org', 'two.org']);
});

test('B-09: the refresh hint of a bundle stays a hint of that bundle', () => {
  const bundles = parseBundleMap(text);
  expect(bundles.get('one.org')?.refreshHintSeconds).toBe(10);
  expect(bundles.get('two.org')?.refreshHintSeconds).toBeUndefined();
  expect(bundles).not.toHaveProperty('refreshHintSeconds');
});

test('F-11: a bundle counts for its own trust domain and under its own name only', () => {
  const source = new BundleSource(parseBundleMap(text));
  expect(source.getX509Bundle(TrustDomain.parse('one.org'))?.authorities).not.toEqual(
    source.getX509Bundle(TrustDomain.parse('two.org'))?.authorities,
  );
  expect(() => source.replaceAll(new Map([['one.org', two]]))).toThrow(TypeError);
  expect(() => new BundleSource(new Map([['one.org', two]]))).toThrow(TypeError);
});
