import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { matchAny, matchId, matchMemberOf, matchOneOf } from './match.ts';
import { SpiffeError } from './spiffe-error.ts';
import { SpiffeId } from './spiffe-id.ts';
import { TrustDomain } from './trust-domain.ts';

const segment = fc.stringMatching(/^[a-zA-Z0-9._-]{1,20}$/).filter((text) => text !== '.' && text !== '..');
const name = fc.stringMatching(/^[a-z0-9._-]{1,40}$/);

describe('SpiffeId.parse', () => {
  test.each([
    ['spiffe://example.org', ''],
    ['spiffe://example.org/a', '/a'],
    ['spiffe://example.org/ns/prod/sa/api', '/ns/prod/sa/api'],
  ])('takes %s', (text, path) => {
    const id = SpiffeId.parse(text);
    expect([id.toString(), id.path]).toEqual([text, path]);
  });

  const refused = (code: string, ...texts: readonly string[]): void => {
    expect(SpiffeId.parse('spiffe://example.org/a').path).toBe('/a');
    for (const text of texts) expect(() => SpiffeId.parse(text), text).toThrow(expect.objectContaining({ code }));
  };

  test('ID-01: another scheme, a query or a fragment is refused', () => {
    refused('SPIFFE_ID_INVALID', '', 'example.org/a', 'https://example.org/a', 'spiffe:/example.org/a');
    refused('SPIFFE_ID_INVALID', ' spiffe://example.org/a', 'spiffe://example.org/a?q', 'spiffe://example.org/a#f');
    refused('TRUST_DOMAIN_INVALID', 'spiffe://example.org?a', 'spiffe://example.org#a');
  });

  test('ID-02: an empty trust domain is refused', () => {
    refused('TRUST_DOMAIN_INVALID', 'spiffe://', 'spiffe:///a');
  });

  test('ID-03: user information and a port are refused', () => {
    refused(
      'TRUST_DOMAIN_INVALID',
      'spiffe://user@example.org/a',
      'spiffe://u:p@example.org',
      'spiffe://@example.org/a',
    );
    refused('TRUST_DOMAIN_INVALID', 'spiffe://example.org:443/a', 'spiffe://example.org:/a');
  });

  test('ID-04: a trust domain with upper case, escapes or characters outside of its alphabet is refused', () => {
    refused('TRUST_DOMAIN_INVALID', 'spiffe://Example.org/a', 'spiffe://ex%41mple.org/a', 'spiffe://exämple.org/a');
    refused('TRUST_DOMAIN_INVALID', 'spiffe://example.org\n/a', 'spiffe://exam ple/a', 'spiffe://example!/a');
  });

  test('ID-05: a trust domain is taken whether or not it could be a DNS name or an IPv4 address', () => {
    for (const name of ['1.2.3.4', '999.1.1.1', 'a..b', '.a', 'a.', '-a', '_a', '-', '...']) {
      expect(SpiffeId.parse(`spiffe://${name}/x`).trustDomain.name).toBe(name);
    }
    refused('TRUST_DOMAIN_INVALID', 'spiffe://[::1]/a', 'spiffe://::1/a');
  });

  test('ID-06: an escape in the path is refused', () => {
    refused(
      'SPIFFE_ID_INVALID',
      'spiffe://example.org/%61',
      'spiffe://example.org/%2e%2e/b',
      'spiffe://example.org/a%2fb',
    );
  });

  test('ID-07: an empty, `.` or `..` segment is refused, and dots in any other number are a name', () => {
    refused('SPIFFE_ID_INVALID', 'spiffe://example.org//a', 'spiffe://example.org/a//b');
    refused('SPIFFE_ID_INVALID', 'spiffe://example.org/./b', 'spiffe://example.org/a/../b', 'spiffe://example.org/..');
    for (const path of ['/...', '/.x/..y/Z', '/a.']) expect(SpiffeId.parse(`spiffe://td${path}`).path).toBe(path);
  });

  test('ID-08: a slash at the end is refused', () => {
    refused('SPIFFE_ID_INVALID', 'spiffe://example.org/', 'spiffe://example.org/a/');
  });

  test('ID-09: a segment with characters outside of its alphabet is refused', () => {
    refused('SPIFFE_ID_INVALID', 'spiffe://example.org/a\n', 'spiffe://example.org/a\0', 'spiffe://example.org/ä');
    refused('SPIFFE_ID_INVALID', 'spiffe://example.org/a b', 'spiffe://example.org/a:b', 'spiffe://example.org/a~');
    expect(SpiffeId.parse('spiffe://td/aZ0.-_').path).toBe('/aZ0.-_');
  });

  test('ID-10: an ID of 2048 bytes is taken, and a longer one neither taken nor made', () => {
    const longest = `spiffe://td/${'a'.repeat(2048 - 'spiffe://td/'.length)}`;
    expect(SpiffeId.parse(longest).toString()).toBe(longest);
    expect(() => SpiffeId.parse(`${longest}a`)).toThrow(/2048/);
    const td = TrustDomain.parse('td');
    expect(SpiffeId.fromSegments(td, longest.slice('spiffe://td/'.length)).toString()).toBe(longest);
    expect(() => SpiffeId.fromSegments(td, longest.slice('spiffe://td/'.length), 'a')).toThrow(/2048/);
  });

  test('ID-11: a trust domain of 255 bytes is taken, and no longer one', () => {
    expect(TrustDomain.parse('a'.repeat(255)).name).toHaveLength(255);
    expect(() => TrustDomain.parse('a'.repeat(256))).toThrow(/255/);
    expect(() => SpiffeId.parse(`spiffe://${'a'.repeat(256)}/x`)).toThrow(/255/);
  });

  test('ID-12: scheme and trust domain are lowered, but not the path, when asked to; upper case is refused otherwise', () => {
    const id = SpiffeId.parse('SPIFFE://Example.ORG/Path', { normalizeCase: true });
    expect(id.toString()).toBe('spiffe://example.org/Path');
    expect(id.equals(SpiffeId.parse('spiffe://example.org/Path'))).toBe(true);
    expect(id.equals(SpiffeId.parse('spiffe://example.org/path'))).toBe(false);
    expect(TrustDomain.parse('Example.ORG', { normalizeCase: true }).name).toBe('example.org');
    refused('SPIFFE_ID_INVALID', 'SPIFFE://example.org/a', 'Spiffe://example.org/a');
    // The Kelvin sign lowers to an ASCII k.
    expect(() => SpiffeId.parse('spiffe://\u212A/a', { normalizeCase: true })).toThrow(SpiffeError);
  });

  test('is made from segments, none of which can bring a slash or a relative step', () => {
    const td = TrustDomain.parse('td');
    const id = SpiffeId.fromSegments(td, 'ns', 'prod');
    expect([id.toString(), id.segments, td.id.segments]).toEqual(['spiffe://td/ns/prod', ['ns', 'prod'], []]);
    for (const segment of ['', '.', '..', 'a/b', 'a%2fb']) {
      expect(() => SpiffeId.fromSegments(td, 'ns', segment)).toThrow(SpiffeError);
    }
  });

  test('gives back what it was given, for every valid ID', () => {
    fc.assert(
      fc.property(name, fc.array(segment, { maxLength: 6 }), (domain, segments) => {
        const text = `spiffe://${domain}${segments.map((part) => `/${part}`).join('')}`;
        const id = SpiffeId.parse(text);
        expect(id.toString()).toBe(text);
        expect(id.memberOf(TrustDomain.parse(domain))).toBe(true);
        expect(id.trustDomain.id.equals(id)).toBe(segments.length === 0);
      }),
    );
  });

  test('throws nothing but SpiffeError, whatever it reads', () => {
    const near = fc.array(fc.constantFrom('spiffe://', '/', '.', '..', 'a', 'A', '%', '?', '\u0000', 'é', ':', '@'));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          near.map((parts) => `spiffe://${parts.join('')}`),
        ),
        (text) => {
          try {
            expect(SpiffeId.parse(text).toString()).toBe(text);
          } catch (error) {
            expect(error).toBeInstanceOf(SpiffeError);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('shows its text in JSON', () => {
    const id = SpiffeId.parse('spiffe://td/a');
    expect(JSON.stringify({ id, trustDomain: id.trustDomain })).toBe('{"id":"spiffe://td/a","trustDomain":"td"}');
    expect(inspect(id)).toContain('td');
  });
});

describe('matchers', () => {
  const a = SpiffeId.parse('spiffe://td/a');
  const b = SpiffeId.parse('spiffe://td/b');

  test('match by ID, by list and by trust domain', () => {
    expect([matchAny()(a), matchId('spiffe://td/a')(a), matchId(a)(b)]).toEqual([true, true, false]);
    expect([matchOneOf(a, 'spiffe://td/b')(b), matchOneOf(a)(b), matchOneOf()(a)]).toEqual([true, false, false]);
    expect([matchMemberOf('td')(a), matchMemberOf(TrustDomain.parse('td.evil'))(a)]).toEqual([true, false]);
  });

  test('refuse an ID that is none when they are made', () => {
    expect(() => matchId('td/a')).toThrow(SpiffeError);
    expect(() => matchMemberOf('spiffe://td')).toThrow(SpiffeError);
  });
});
