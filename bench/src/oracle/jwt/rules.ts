import type { Rule } from '../compare.ts';
import type { JwtCase } from './case.ts';

const LEEWAY_SECONDS = 30;
/** RFC 7515, 2: base64url without padding. A length of 1 over a multiple of 4 is no whole byte. */
const ALPHABET = /^[A-Za-z0-9_-]*$/;
/** SPIFFE-ID, 2, with the path that JWT-SVID leaves free. */
const SPIFFE_ID = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/(?!\.{1,2}(?:\/|$))[a-zA-Z0-9._-]+)*)$/;
const KNOWN_TRUST_DOMAINS = ['example.org', 'foreign.org'];
const MAX_TIME = Number.MAX_SAFE_INTEGER / 1000;
/** ECMA-262, 21.4.1.1. */
const LAST_DATE_MS = 8_640_000_000_000_000;

type Json = Readonly<Record<string, unknown>>;

/** The token as a lenient reader sees it, with nothing of ours. */
interface Reading {
  readonly parts: readonly string[];
  readonly texts: readonly string[];
  readonly header: Json;
  readonly claims: Json;
}

function read(token: string): Reading {
  const parts = token.split('.');
  const texts = parts.slice(0, 2).map((part) => Buffer.from(part, 'base64url').toString());
  const [header = {}, claims = {}] = texts.map(lenientJson);
  return { parts, texts, header, claims };
}

function lenientJson(text: string): Json {
  try {
    const value: unknown = JSON.parse(text.replace(/^\ufeff/, ''));
    return typeof value === 'object' && value !== null ? (value as Json) : {};
  } catch {
    return {};
  }
}

function isStrictBase64Url(part: string): boolean {
  if (!ALPHABET.test(part) || part.length % 4 === 1) return false;
  const spareBits = part.length % 4 === 0 ? 0 : part.length % 4 === 2 ? 4 : 2;
  const code = part.charCodeAt(part.length - 1);
  const value = code >= 97 ? code - 71 : code === 95 ? 63 : code >= 65 ? code - 65 : code >= 48 ? code + 4 : 62;
  return part.length === 0 || value % 2 ** spareBits === 0;
}

/** Member names that the text writes, and those that are left when it is parsed: the last of equal ones wins. */
function hasDuplicates(text: string): boolean {
  const written = [...text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)].filter((match) => match[1] !== undefined).length;
  return written > count(lenientJson(text), () => 0);
}

/** Members of all objects in a value, besides what `extra` counts of each value. */
function count(value: unknown, extra: (value: unknown) => number): number {
  if (typeof value !== 'object' || value === null) return extra(value);
  const entries = Object.entries(value);
  const own = Array.isArray(value) ? 0 : entries.length;
  return entries.reduce((sum, [, entry]) => sum + count(entry, extra), own + extra(value));
}

const some = (json: Json, test: (value: unknown) => boolean): boolean =>
  count(json, (value) => (test(value) ? Number.POSITIVE_INFINITY : 0)) === Number.POSITIVE_INFINITY;

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

const inEither = ({ header, claims }: Reading, test: (json: Json) => boolean): boolean => test(header) || test(claims);

function refused(name: string, holds: (reading: Reading, question: JwtCase) => boolean): Rule<JwtCase> {
  return { name, refusedBy: 'ours', holds: (question) => holds(read(question.token), question) };
}

const isFraction = ({ nowMs }: JwtCase): boolean => nowMs % 1000 !== 0;

export const JWT_RULES: readonly Rule<JwtCase>[] = [
  refused('a token has at most 8192 characters', ({ parts }) => parts.join('.').length > 8192),
  refused('base64url is strict: no padding, no space, no loose bits', ({ parts }) => !parts.every(isStrictBase64Url)),
  refused('JSON has no byte order mark', ({ texts }) => texts.some((text) => text.startsWith('\ufeff'))),
  refused('JSON has no duplicate members', ({ texts }) => texts.some(hasDuplicates)),
  refused('JSON has no member __proto__', (reading) => inEither(reading, (json) => Object.hasOwn(json, '__proto__'))),
  refused('JSON is at most 16 deep', (reading) => inEither(reading, (json) => depthOf(json) > 16)),
  refused('JSON holds no lone surrogate', (reading) =>
    inEither(reading, (json) => some(json, (value) => typeof value === 'string' && !value.isWellFormed())),
  ),
  refused('JSON holds no number that is rounded', (reading) =>
    inEither(reading, (json) => some(json, (value) => typeof value === 'number' && Math.abs(value) > 2 ** 53 - 1)),
  ),
  refused('crit is refused, whatever it names', ({ header }) => header.crit !== undefined),
  refused(
    'typ is JWT or JOSE (JWT-SVID, 2.3)',
    ({ header: { typ } }) => ![undefined, 'JWT', 'JOSE'].includes(typ as string),
  ),
  refused(
    'sub is a SPIFFE ID (JWT-SVID, 3.1)',
    ({ claims: { sub } }) => typeof sub !== 'string' || sub.length > 2048 || !SPIFFE_ID.test(sub),
  ),
  refused('the trust domain of sub has a bundle', ({ claims: { sub } }) => {
    const trustDomain = SPIFFE_ID.exec(String(sub))?.[1];
    return trustDomain !== undefined && !KNOWN_TRUST_DOMAINS.includes(trustDomain);
  }),
  refused(
    'aud holds nothing but texts (RFC 7519, 4.1.3)',
    ({ claims: { aud } }) => Array.isArray(aud) && aud.some((entry) => typeof entry !== 'string' || entry === ''),
  ),
  refused('times lie between 0 and what milliseconds can count', ({ claims }) =>
    [claims.exp, claims.nbf, claims.iat].some((time) => typeof time === 'number' && !(time >= 0 && time <= MAX_TIME)),
  ),
  refused('the end is judged by the millisecond, by jose by the second', ({ claims: { exp } }, question) => {
    const end = Number(exp) + LEEWAY_SECONDS;
    return isFraction(question) && question.nowMs >= end * 1000 && Math.floor(question.nowMs / 1000) < end;
  }),
  {
    name: 'no Date, by which jose is told the time, lies behind the year 275760',
    refusedBy: 'peer',
    holds: ({ nowMs }) => nowMs > LAST_DATE_MS,
    without: (question) => ({ ...question, nowMs: LAST_DATE_MS }),
  },
  {
    name: 'the beginning is judged by the millisecond, by jose by the second',
    refusedBy: 'peer',
    holds: (question) => {
      const start = Number(read(question.token).claims.nbf) - LEEWAY_SECONDS;
      return isFraction(question) && question.nowMs >= start * 1000 && Math.floor(question.nowMs / 1000) < start;
    },
    without: (question) => ({ ...question, nowMs: Math.ceil(question.nowMs / 1000) * 1000 }),
  },
];
