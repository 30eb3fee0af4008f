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
    // SPIFFE-ID, 2.1: a name is not judged as a DNS name or an address.
    ['spiffe://1.2.3.4/a', '/a'],
    ['spiffe://a..b/x', '/x'],
    ['spiffe://.a/x', '/x'],
    ['spiffe://-a_/x', '/x'],
    ['spiffe://td/...', '/...'],
    ['spiffe://td/.x/..y/Z', '/.x/..y/Z'],
  ])('takes %s', (text, path) => {
    const id = SpiffeId.parse(text);
    expect([id.toString(), id.path]).toEqual([text, path]);
  });

  test.each([
    ['', 'SPIFFE_ID_INVALID'],
    ['example.org/a', 'SPIFFE_ID_INVALID'],
    ['https://example.org/a', 'SPIFFE_ID_INVALID'],
    ['SPIFFE://example.org/a', 'SPIFFE_ID_INVALID'],
    ['spiffe:/example.org/a', 'SPIFFE_ID_INVALID'],
    [' spiffe://example.org/a', 'SPIFFE_ID_INVALID'],
    ['spiffe://', 'TRUST_DOMAIN_INVALID'],
    ['spiffe:///a', 'TRUST_DOMAIN_INVALID'],
    ['spiffe://Example.org/a', 'TRUST_DOMAIN_INVALID'],
    ['spiffe://user@example.org/a', 'TRUST_DOMAIN_INVALID'],
    ['spiffe://example.org:443/a', 'TRUST_DOMAIN_INVALID'],
    ['spiffe://[::1]/a', 'TRUST_DOMAIN_INVALID'],
    ['spiffe://ex%41mple.org/a', 'TRUST_DOMAIN_INVALID'],
    ['spiffe://example.org?a', 'TRUST_DOMAIN_INVALID'],
    ['spiffe://exämple.org/a', 'TRUST_DOMAIN_INVALID'],
    ['spiffe://example.org\n/a', 'TRUST_DOMAIN_INVALID'],
    ['spiffe://example.org/', 'SPIFFE_ID_INVALID'],
    ['spiffe://example.org/a/', 'SPIFFE_ID_INVALID'],
    ['spiffe://example.org//a', 'SPIFFE_ID_INVALID'],
    ['spiffe://example.org/a/../b', 'SPIFFE_ID_INVALID'],
    ['spiffe://example.org/./b', 'SPIFFE_ID_INVALID'],
    ['spiffe://example.org/%2e%2e/b', 'SPIFFE_ID_INVALID'],
    ['spiffe://example.org/a?q', 'SPIFFE_ID_INVALID'],
    ['spiffe://example.org/a#f', 'SPIFFE_ID_INVALID'],
    ['spiffe://example.org/a\n', 'SPIFFE_ID_INVALID'],
    ['spiffe://example.org/a\0', 'SPIFFE_ID_INVALID'],
    ['spiffe://example.org/ä', 'SPIFFE_ID_INVALID'],
  ])('refuses %j', (text, code) => {
    expect(() => SpiffeId.parse(text)).toThrow(expect.objectContaining({ code }));
  });

  test('takes 2048 bytes and a trust domain of 255, and no more', () => {
    const longest = `spiffe://td/${'a'.repeat(2048 - 'spiffe://td/'.length)}`;
    expect(SpiffeId.parse(longest).toString()).toBe(longest);
    expect(() => SpiffeId.parse(`${longest}a`)).toThrow(/2048/);
    expect(TrustDomain.parse('a'.repeat(255)).name).toHaveLength(255);
    expect(() => TrustDomain.parse('a'.repeat(256))).toThrow(/255/);
  });

  test('lowers scheme and trust domain, but not the path, when asked to', () => {
    const id = SpiffeId.parse('SPIFFE://Example.ORG/Path', { normalizeCase: true });
    expect(id.toString()).toBe('spiffe://example.org/Path');
    expect(id.equals(SpiffeId.parse('spiffe://example.org/path'))).toBe(false);
    // The Kelvin sign lowers to an ASCII k.
    expect(() => SpiffeId.parse('spiffe://\u212A/a', { normalizeCase: true })).toThrow(SpiffeError);
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
