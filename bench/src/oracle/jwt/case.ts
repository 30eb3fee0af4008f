import { type Algorithm, KEYS, type Signing, type SigningKey, signText } from './keys.ts';

/** The moment that cases are made for, in seconds. */
export const NOW = 1_800_000_000;
export const ID = 'spiffe://example.org/ns/prod/sa/api';

/** A token before it is signed, which changes work on. */
export interface Draft {
  signing: Signing;
  readonly header: Record<string, unknown>;
  readonly claims: Record<string, unknown>;
  headerText: (text: string) => string | Uint8Array;
  payloadText: (text: string) => string | Uint8Array;
  /** What becomes of the encoded parts before they are signed. */
  encodedHeader: (part: string) => string;
  encodedPayload: (part: string) => string;
  /** What becomes of the token afterwards. */
  token: (token: string) => string;
  nowMs: number;
  issuer: string | undefined;
}

export interface Change {
  readonly name: string;
  readonly apply: (draft: Draft) => void;
}

export interface JwtCase {
  readonly token: string;
  readonly nowMs: number;
  /** The issuer that both sides are told to expect. */
  readonly issuer: string | undefined;
  /** What was changed about a good token. */
  readonly changes: readonly string[];
}

export interface JwtCaseOptions {
  readonly key: Signing['key'];
  readonly algorithm: Algorithm;
  readonly changes: readonly Change[];
}

export function makeJwtCase({ key, algorithm, changes }: JwtCaseOptions): JwtCase {
  const { kid }: SigningKey = KEYS[key];
  const same = (text: string): string => text;
  const draft: Draft = {
    signing: { key, algorithm },
    header: { alg: algorithm, ...(kid === undefined ? {} : { kid }), typ: 'JWT' },
    claims: { sub: ID, aud: ['me'], iat: NOW, exp: NOW + 300 },
    headerText: same,
    payloadText: same,
    encodedHeader: same,
    encodedPayload: same,
    token: same,
    nowMs: NOW * 1000,
    issuer: undefined,
  };
  for (const { apply } of changes) apply(draft);
  const header = draft.encodedHeader(encode(draft.headerText(JSON.stringify(draft.header))));
  const payload = draft.encodedPayload(encode(draft.payloadText(JSON.stringify(draft.claims))));
  const signed = `${header}.${payload}`;
  const token = draft.token(`${signed}.${encode(signText(signed, draft.signing))}`);
  const { nowMs, issuer } = draft;
  return { token, nowMs, issuer, changes: [`${key} ${algorithm}`, ...changes.map(({ name }) => name)] };
}

function encode(content: string | Uint8Array): string {
  return Buffer.from(content as Uint8Array).toString('base64url');
}
