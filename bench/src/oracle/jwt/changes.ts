import fc from 'fast-check';
import { type Change, type Draft, ID, NOW } from './case.ts';
import { KEYS, NINE } from './keys.ts';
import { changesOfText } from './text-changes.ts';

const FRACTIONS_MS = [0, 0, 0, 1, 500, 999];
const LEEWAY = 30;
const edges = [-LEEWAY, 0, LEEWAY].flatMap((edge) => [edge - 1, edge - 0.5, edge, edge + 0.5, edge + 1]);
const times: readonly unknown[] = [
  ...edges.map((offset) => NOW + offset),
  ...[-1, 0, 1e300, 9e15, Number.MAX_SAFE_INTEGER / 1000, 9007199254741, String(NOW), null, true, [NOW], {}],
];

/** One value of `field` for another; `undefined` leaves the member out. */
function member(of: 'header' | 'claims', field: string, values: readonly unknown[]): fc.Arbitrary<Change> {
  return fc.constantFrom(...values).map((value) => ({
    name: `${field} ${JSON.stringify(value) ?? 'absent'}`,
    apply: (draft) => {
      draft[of][field] = value;
    },
  }));
}

function change(name: string, apply: (draft: Draft) => void): fc.Arbitrary<Change> {
  return fc.constant({ name, apply });
}

const jwk = KEYS.stranger.privateKey.export({ format: 'jwk' });

const ofHeader = [
  member('header', 'alg', [
    ...NINE,
    'none',
    'NONE',
    'HS256',
    'EdDSA',
    'ES256K',
    'es256',
    '',
    null,
    ['ES256'],
    undefined,
  ]),
  member('header', 'kid', ['unknown', 'p256', 'p256-twin', 'rsa', '', ' p256', 'P256', 7, null, undefined]),
  member('header', 'kid', [undefined]),
  member('header', 'typ', ['JOSE', 'jwt', 'application/jwt', 'at+jwt', 'wit+jwt', '', null, 7, ['JWT'], undefined]),
  member('header', 'crit', [['exp'], ['b64'], [], [''], ['alg'], 'exp', null, { exp: 1 }]),
  member('header', 'b64', [true, false, 'true']),
  change('b64 that is critical and says what is so anyway', ({ header }) => {
    Object.assign(header, { b64: true, crit: ['b64'] });
  }),
  member('header', 'jwk', [{ kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y }]),
  member('header', 'jku', ['https://evil.example/keys']),
  member('header', 'x5c', [['AAAA']]),
  member('header', 'cty', ['JWT']),
  member('header', 'zip', ['DEF']),
];

const ofClaims = [
  member('claims', 'sub', [
    ...['spiffe://foreign.org/a', 'spiffe://unknown.org/a', 'spiffe://example.org', 'spiffe://example.org/'],
    ...['spiffe://EXAMPLE.org/a', 'SPIFFE://example.org/a', `${ID}/../admin`, `${ID}//a`, `${ID}?a`, `${ID}#a`],
    ...['https://example.org/a', 'alice', '', `${ID}/%61`, `${ID}é`, `spiffe://example.org/${'a'.repeat(2048)}`],
    ...['spiffe://example.org:80/a', 'spiffe://me@example.org/a', 7, null, [ID], undefined],
  ]),
  member('claims', 'aud', [
    ...['me', 'you', 'ME', '', ['me', 'you'], ['you', 'me'], ['you'], [], ['me', 1], ['me', ''], ['me', null]],
    ...[{ me: true }, [['me']], 'me ', 7, null, undefined],
  ]),
  member('claims', 'exp', [...times, undefined]),
  member('claims', 'nbf', times),
  member('claims', 'iat', [...times, NOW + 3600, undefined]),
  member('claims', 'roles', [['x'], { deep: true }, null, 'é', 1.5, -0, 1e-7]),
  fc.tuple(fc.constantFrom(...edges), fc.constantFrom(...FRACTIONS_MS)).map(([offset, fraction]) => ({
    name: `judged ${offset} s and ${fraction} ms from the end`,
    apply: (draft: Draft) => {
      draft.nowMs = (Number(draft.claims.exp) + offset) * 1000 + fraction;
    },
  })),
  fc.tuple(fc.constantFrom(...edges), fc.constantFrom(...FRACTIONS_MS)).map(([offset, fraction]) => ({
    name: `judged ${fraction} ms after a second, nbf ${offset} s away`,
    apply: (draft: Draft) => {
      draft.claims.nbf = NOW + offset;
      draft.nowMs = NOW * 1000 + fraction;
    },
  })),
  fc
    .constantFrom<unknown>('https://a.example', 'https://a.example/', ['https://a.example'], 7, undefined)
    .map((iss) => ({
      name: `issuer expected, iss ${JSON.stringify(iss) ?? 'absent'}`,
      apply: (draft: Draft) => {
        draft.claims.iss = iss;
        draft.issuer = 'https://a.example';
      },
    })),
];

const ofSigning = [
  fc.constantFrom('stranger', 'foreign', 'rsaSmall', 'p256Twin', 'p256').map((key) => ({
    name: `signed by ${key}`,
    apply: (draft: Draft) => {
      const algorithm = key === 'rsaSmall' ? 'RS256' : 'ES256';
      draft.signing = { key, algorithm };
      if (key === 'rsaSmall') Object.assign(draft.header, { alg: algorithm, kid: 'rsa-small' });
    },
  })),
  change('of the foreign trust domain', (draft) => {
    draft.signing = { key: 'foreign', algorithm: 'ES256' };
    Object.assign(draft.header, { alg: 'ES256', kid: 'p256' });
    draft.claims.sub = 'spiffe://foreign.org/a';
  }),
  change('signature in DER', (draft) => {
    draft.signing = { ...draft.signing, asDer: true };
  }),
  fc.constantFrom(0, 1, 20, 32, 64).map((saltLength) => ({
    name: `salt of ${saltLength} bytes`,
    apply: (draft: Draft) => {
      draft.signing = { ...draft.signing, saltLength };
    },
  })),
  fc.constantFrom(...NINE).map((algorithm) => ({
    name: `signed as ${algorithm} whatever the header says`,
    apply: (draft: Draft) => {
      const sameKind = algorithm.startsWith('ES') === draft.signing.algorithm.startsWith('ES');
      if (sameKind) draft.signing = { ...draft.signing, algorithm };
    },
  })),
];

export const anyChange: fc.Arbitrary<Change> = fc.oneof(
  { arbitrary: fc.oneof(...ofHeader), weight: 4 },
  { arbitrary: fc.oneof(...ofClaims), weight: 6 },
  { arbitrary: fc.oneof(...ofSigning), weight: 2 },
  { arbitrary: fc.oneof(...changesOfText), weight: 4 },
);
