import fc from 'fast-check';
import type { Change, Draft } from './case.ts';

type Place = 'headerText' | 'payloadText';

function inText(name: string, edit: (text: string) => string | Uint8Array): fc.Arbitrary<Change> {
  return fc.constantFrom<Place>('headerText', 'payloadText').map((place) => ({
    name: `${place}: ${name}`,
    apply: (draft: Draft) => {
      draft[place] = edit;
    },
  }));
}

/** Members are added by text, since an object could not hold them. */
function withMember(name: string, text: string): fc.Arbitrary<Change> {
  return inText(name, (json) => `${json.slice(0, -1)},${text}}`);
}

function inEncoded(name: string, edit: (part: string) => string): fc.Arbitrary<Change> {
  return fc.constantFrom('encodedHeader' as const, 'encodedPayload' as const).map((place) => ({
    name: `${place}: ${name}`,
    apply: (draft: Draft) => {
      draft[place] = edit;
    },
  }));
}

function inToken(name: string, edit: (token: string) => string): fc.Arbitrary<Change> {
  return fc.constant({
    name,
    apply: (draft: Draft) => {
      draft.token = edit;
    },
  });
}

const splice = (text: string, at: number, by: string, count = 0): string =>
  text.slice(0, at) + by + text.slice(at + count);

/** The other texts that lenient decoders read as the same bytes: bits behind the last whole byte are set. */
function withLooseBits(part: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(part.at(-1) ?? '');
  return part.length % 4 === 0 ? part : `${part.slice(0, -1)}${alphabet[last | 1]}`;
}

/** JSON, base64url and the three parts, rather than what they say. */
export const changesOfText: readonly fc.Arbitrary<Change>[] = [
  withMember('sub twice', '"sub":"spiffe://example.org/admin"'),
  withMember('aud twice, escaped', '"\\u0061ud":"me"'),
  withMember('alg twice', '"alg":"ES256"'),
  withMember('a member twice inside another', '"x":{"y":1,"y":2}'),
  withMember('__proto__', '"__proto__":{"alg":"ES256"}'),
  withMember('an integer that is rounded', '"n":9007199254740993'),
  withMember('a number without end', '"n":1e999'),
  withMember('a lone surrogate', '"s":"\\ud800"'),
  withMember('a pair of surrogates', '"s":"\\ud83d\\ude00"'),
  withMember('an escaped slash', '"s":"a\\/b"'),
  fc
    .constantFrom(14, 15, 16, 40)
    .chain((depth) => withMember(`${depth} deep`, `"d":${'['.repeat(depth)}1${']'.repeat(depth)}`)),
  withMember('9000 characters', `"p":"${'x'.repeat(9000)}"`),
  withMember('5000 characters', `"p":"${'x'.repeat(5000)}"`),
  inText('spaces', (text) => ` ${text.replaceAll(',', ' ,\n ')}\t`),
  inText('a byte order mark', (text) => `\ufeff${text}`),
  inText('invalid UTF-8', (text) =>
    Buffer.concat([Buffer.from(`${text.slice(0, -1)},"u":"`), Buffer.from([0xff]), Buffer.from('"}')]),
  ),
  inText('something behind', (text) => `${text}x`),
  inText('a comma too many', (text) => `${text.slice(0, -1)},}`),
  inText('an array', () => '[]'),
  inText('null', () => 'null'),
  inText('nothing', () => ''),
  inText('single quotes', (text) => text.replaceAll('"', "'")),
  inEncoded('padding', (part) => part.padEnd(Math.ceil(part.length / 4) * 4, '=')),
  inEncoded('an equals sign', (part) => `${part}=`),
  inEncoded('a space', (part) => splice(part, 8, ' ')),
  inEncoded('a line end', (part) => `${part}\n`),
  inEncoded('a character of no alphabet', (part) => splice(part, 8, '!')),
  inEncoded('a character over 127', (part) => splice(part, 8, 'é')),
  inEncoded('loose bits', withLooseBits),
  inToken('padding behind', (token) => `${token}${'='.repeat((4 - ((token.split('.')[2] ?? '').length % 4)) % 4)}`),
  inToken('loose bits behind', withLooseBits),
  inToken('a space in front', (token) => ` ${token}`),
  inToken('a line end behind', (token) => `${token}\n`),
  inToken('the alphabet of base64', (token) => token.replaceAll('-', '+').replaceAll('_', '/')),
  inToken('two parts', (token) => token.split('.').slice(0, 2).join('.')),
  inToken('four parts', (token) => `${token}.AA`),
  inToken('no signature', (token) => token.replace(/[^.]*$/, '')),
  inToken('a signature of zeros', (token) => token.replace(/[^.]*$/, (text) => 'A'.repeat(text.length))),
  inToken('a signature that is longer', (token) => `${token}AAAA`),
  inToken('a signature that is shorter', (token) => token.slice(0, -4)),
  fc.tuple(fc.nat(1_000_000), fc.constantFrom(...'ABab01-_.+/={ '.split(''))).map(([at, by]) => ({
    name: `"${by}" at ${at}`,
    apply: (draft: Draft) => {
      draft.token = (token) => splice(token, at % token.length, by, 1);
    },
  })),
];
