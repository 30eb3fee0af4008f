import { describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../../common/index.ts';
import { JwtSigner } from '../../../testing/index.ts';
import type { JwtBundle, JwtBundleSource } from '../../bundle/jwt/jwt-bundle.ts';
import { SpiffeError } from '../../spiffe-error.ts';
import { TrustDomain } from '../../trust-domain.ts';
import { JwtVerifier, type JwtVerifierOptions } from './verifier.ts';

const START_MS = 1_700_000_000_000;
const ISSUER = 'https://oidc.example.org';
const home = TrustDomain.parse('example.org');
const signer = JwtSigner.generate('ES256');
const bundleOf = (trustDomain: TrustDomain, ...signers: readonly JwtSigner[]): JwtBundle => ({
  trustDomain,
  keys: signers.map(({ kid, publicKey }) => ({ kid, publicKey })),
});

function tokenOf(claims: Readonly<Record<string, unknown>> = {}, key = signer): string {
  const now = START_MS / 1000;
  return key.sign({ sub: 'spiffe://example.org/a', aud: ['me'], iat: now, exp: now + 300, iss: ISSUER, ...claims });
}

/** A wall clock that is set to any moment. */
class SetClock implements Clock {
  #nowMs = START_MS;
  readonly monotonicMs = systemClock.monotonicMs;
  readonly setTimer = systemClock.setTimer;

  now(): number {
    return this.#nowMs;
  }

  move(ms: number): void {
    this.#nowMs += ms;
  }
}

/** A source whose bundles the test changes. A token that was remembered comes back as the same object. */
function setup(options: Partial<JwtVerifierOptions> = {}) {
  const clock = new SetClock();
  const held = new Map([[home.name, bundleOf(home, signer)]]);
  const bundles: JwtBundleSource = { getJwtBundle: ({ name }) => held.get(name) };
  const make = (more: Partial<JwtVerifierOptions> = {}) =>
    new JwtVerifier({ bundles, audience: 'me', issuer: ISSUER, leewaySeconds: 0, clock, ...options, ...more });
  return { clock, held, make, verifier: make() };
}

function codeOf(verifier: JwtVerifier, token: string): string {
  try {
    verifier.verify(token);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof SpiffeError)) throw error;
    return error.code;
  }
}

function remembers(verifier: JwtVerifier, token: string): boolean {
  const first = verifier.verify(token);
  return verifier.verify(token) === first;
}

describe('JwtVerifier', () => {
  test('gives the same SVID for the same token, and nobody can change what the next one reads', () => {
    const { verifier } = setup();
    const token = tokenOf({ groups: ['a', { deep: [1] }] });
    const svid = verifier.verify(token);
    expect(verifier.verify(token)).toBe(svid);
    expect(svid.token.reveal()).toBe(token);
    expect(() => {
      (svid.claims as Record<string, unknown>).sub = 'spiffe://example.org/admin';
    }).toThrow(TypeError);
    expect(() => (svid.claims.groups as unknown[]).push('admin')).toThrow(TypeError);
    expect(() => (svid.audience as string[]).push('you')).toThrow(TypeError);
    expect(Object.isFrozen((svid.claims.groups as { deep: unknown }[])[1]?.deep)).toBe(true);
  });

  test('does not remember a token beyond its end', () => {
    const { clock, verifier } = setup();
    const token = tokenOf();
    expect(remembers(verifier, token)).toBe(true);
    clock.move(299_999);
    expect(remembers(verifier, token)).toBe(true);
    clock.move(1);
    expect(codeOf(verifier, token)).toBe('JWT_EXPIRED');
  });

  test('judges a token anew while it lives on leeway', () => {
    const { clock, verifier } = setup({ leewaySeconds: 30 });
    const token = tokenOf();
    expect(remembers(verifier, token)).toBe(true);
    clock.move(310_000);
    expect(remembers(verifier, token)).toBe(false);
    clock.move(20_000);
    expect(codeOf(verifier, token)).toBe('JWT_EXPIRED');
  });

  test('does not remember a token for longer than it is told', () => {
    const { clock, verifier } = setup({ rememberSeconds: 10 });
    const token = tokenOf();
    const first = verifier.verify(token);
    clock.move(9_999);
    expect(verifier.verify(token)).toBe(first);
    clock.move(1);
    expect(verifier.verify(token)).not.toBe(first);
  });

  test('judges a token anew after the clock was set back before the moment it was verified', () => {
    const { clock, verifier } = setup();
    const token = tokenOf({ nbf: START_MS / 1000 });
    expect(remembers(verifier, token)).toBe(true);
    clock.move(-60_000);
    expect(codeOf(verifier, token)).toBe('JWT_NOT_YET_VALID');
  });

  test('forgets every token when a bundle changes, and refuses what its keys no longer sign', () => {
    const { held, verifier } = setup();
    const token = tokenOf();
    const first = verifier.verify(token);
    const other = JwtSigner.generate('ES256');
    held.set(home.name, bundleOf(home, signer, other));
    expect(verifier.verify(token)).not.toBe(first);
    held.set(home.name, bundleOf(home, other));
    expect(codeOf(verifier, token)).toBe('JWT_SIGNATURE_INVALID');
    held.delete(home.name);
    expect(codeOf(verifier, token)).toBe('BUNDLE_NOT_FOUND');
    held.set(home.name, bundleOf(home, signer));
    expect(codeOf(verifier, token)).toBe('accepted');
  });

  test('throws what the source of bundles throws, also for a token that was remembered', () => {
    const { held, verifier } = setup();
    const token = tokenOf();
    expect(remembers(verifier, token)).toBe(true);
    held.get = () => {
      throw new SpiffeError('SVID_WITHDRAWN', 'The agent took the bundles back');
    };
    expect(codeOf(verifier, token)).toBe('SVID_WITHDRAWN');
  });

  test('remembers no token that was refused', () => {
    const { held, verifier } = setup();
    const stranger = JwtSigner.generate('ES256');
    const token = tokenOf({}, stranger);
    expect(codeOf(verifier, token)).toBe('JWT_SIGNATURE_INVALID');
    held.set(home.name, bundleOf(home, signer, stranger));
    expect(codeOf(verifier, token)).toBe('accepted');
  });

  test('of another audience, issuer or leeway knows nothing of what this one accepted', () => {
    const { clock, make, verifier } = setup();
    const token = tokenOf();
    expect(remembers(verifier, token)).toBe(true);
    expect(codeOf(make({ audience: 'you' }), token)).toBe('JWT_AUDIENCE_REFUSED');
    expect(codeOf(make({ issuer: 'https://other.example' }), token)).toBe('JWT_ISSUER_REFUSED');
    clock.move(300_000);
    expect([codeOf(make({ leewaySeconds: 1 }), token), codeOf(verifier, token)]).toEqual(['accepted', 'JWT_EXPIRED']);
  });

  test('keeps the audience it was made for when its owner changes the list', () => {
    const audience = ['you'];
    const { verifier } = setup({ audience });
    audience.push('me');
    expect(codeOf(verifier, tokenOf())).toBe('JWT_AUDIENCE_REFUSED');
    expect(codeOf(verifier, tokenOf({ aud: 'you' }))).toBe('accepted');
  });

  test('remembers no more tokens than it is told', () => {
    const { make } = setup();
    const [a = '', b = '', c = ''] = ['a', 'b', 'c'].map((jti) => tokenOf({ jti }));
    const two = make({ maxRemembered: 2 });
    const first = two.verify(a);
    two.verify(b);
    two.verify(c);
    expect(two.verify(a)).not.toBe(first);
    expect(remembers(make({ maxRemembered: 0 }), a)).toBe(false);
    expect(remembers(make({ rememberSeconds: 0 }), a)).toBe(false);
  });

  test('refuses options that cannot be', () => {
    const { make } = setup();
    expect(remembers(make({ maxRemembered: 1, rememberSeconds: 3600 }), tokenOf())).toBe(true);
    expect(() => make({ audience: [] })).toThrow(TypeError);
    for (const wrong of [
      { maxRemembered: -1 },
      { maxRemembered: 1.5 },
      { rememberSeconds: 3601 },
      { leewaySeconds: 121 },
    ]) {
      expect(() => make(wrong)).toThrow(RangeError);
    }
  });
});
