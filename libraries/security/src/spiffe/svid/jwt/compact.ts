import { BoundedMap } from '../../../common/index.ts';
import { decodeBase64Url, type JsonObject, parseStrictJson } from '../../../encoding/index.ts';
import { SpiffeError } from '../../spiffe-error.ts';
import { SpiffeId } from '../../spiffe-id.ts';
import { isJwtAlgorithm } from './algorithms.ts';

/** A token that is well formed and whose header is allowed. Nothing of it is verified. */
export interface UnverifiedJwt {
  readonly algorithm: string;
  readonly kid: string | undefined;
  readonly id: SpiffeId;
  readonly claims: JsonObject;
  /** The first two parts, as they were signed; ASCII. */
  readonly signed: string;
  readonly signature: Uint8Array;
}

/** Longer tokens are refused unread; 8 KiB is also what HTTP servers take as a whole header. */
const MAX_TOKEN_CHARACTERS = 8192;
const JSON_LIMITS = { maxBytes: MAX_TOKEN_CHARACTERS, maxDepth: 16 };

/**
 * Takes a compact JWS apart (JWT-SVID, 1 and 5.1: the JSON serialisation is refused) and applies the rules that need
 * no key, cheapest first.
 * @throws SpiffeError `JWT_TOO_LARGE`, `JWT_MALFORMED`, `JWT_ALGORITHM_REFUSED`, `JWT_CRITICAL_HEADER_REFUSED`,
 * `JWT_TYPE_REFUSED`, `JWT_HEADER_REFUSED`, `JWT_SUBJECT_INVALID`
 */
export function readCompactJwt(token: string, options: { readonly strictHeaders?: boolean } = {}): UnverifiedJwt {
  if (token.length > MAX_TOKEN_CHARACTERS) {
    throw new SpiffeError('JWT_TOO_LARGE', `A JWT-SVID may have at most ${MAX_TOKEN_CHARACTERS} characters`);
  }
  const headerEnd = token.indexOf('.');
  const payloadEnd = token.indexOf('.', headerEnd + 1);
  const parts = headerEnd !== -1 && payloadEnd !== -1 && payloadEnd !== token.length - 1;
  if (!parts || token.indexOf('.', payloadEnd + 1) !== -1) throw malformed('does not have three parts');
  const { algorithm, kid } = readHeader(token.slice(0, headerEnd), options);
  const claims = readObject(token.slice(headerEnd + 1, payloadEnd), 'payload');
  return {
    algorithm,
    kid,
    id: readSubject(claims.sub),
    claims,
    signed: token.slice(0, payloadEnd),
    signature: decode(token.slice(payloadEnd + 1), 'signature'),
  };
}

interface Header {
  readonly algorithm: string;
  readonly kid: string | undefined;
  /** Whether it has members that no issuer of JWT-SVIDs writes. */
  readonly foreign: boolean;
}

/** JWT-SVID, 2: nothing else is issued. */
const ISSUED_HEADERS = new Set(['alg', 'kid', 'typ']);

/** An authority writes the same header into all tokens of one key. Only headers that are allowed are kept. */
const headers = new BoundedMap<string, Header>(64);
const MAX_KEPT_HEADER_CHARACTERS = 512;

function readHeader(part: string, { strictHeaders }: { readonly strictHeaders?: boolean }): Header {
  const kept = headers.get(part);
  const header = kept ?? assertHeader(readObject(part, 'header'));
  if (kept === undefined && part.length <= MAX_KEPT_HEADER_CHARACTERS) headers.set(part, header);
  if (strictHeaders && header.foreign) {
    throw new SpiffeError('JWT_HEADER_REFUSED', 'The token has a header other than alg, kid and typ');
  }
  return header;
}

/**
 * Members other than `alg`, `crit`, `typ` and `kid` are ignored: a key or an address that the token itself brings
 * (`jwk`, `jku`, `x5c`) is never used.
 */
function assertHeader(header: JsonObject): Header {
  const { alg, crit, typ, kid } = header;
  if (!isJwtAlgorithm(alg)) throw new SpiffeError('JWT_ALGORITHM_REFUSED', 'The algorithm is none of the nine allowed');
  // RFC 7515, 4.1.11: no extension is understood here, so any critical one refuses the token.
  if (crit !== undefined) throw new SpiffeError('JWT_CRITICAL_HEADER_REFUSED', 'The token has critical headers');
  // JWT-SVID, 2.3; this also keeps WIT-SVIDs out.
  if (typ !== undefined && typ !== 'JWT' && typ !== 'JOSE') {
    throw new SpiffeError('JWT_TYPE_REFUSED', 'The type of the token is neither JWT nor JOSE');
  }
  if (kid !== undefined && (typeof kid !== 'string' || kid === '')) throw malformed('has a key id that is no text');
  return { algorithm: alg, kid, foreign: Object.keys(header).some((name) => !ISSUED_HEADERS.has(name)) };
}

/** JWT-SVID, 3.1. */
function readSubject(sub: unknown): SpiffeId {
  if (typeof sub !== 'string') throw new SpiffeError('JWT_SUBJECT_INVALID', 'The token has no subject');
  try {
    return SpiffeId.parse(sub);
  } catch (cause) {
    throw new SpiffeError('JWT_SUBJECT_INVALID', 'The subject of the token is no SPIFFE ID', { cause });
  }
}

function readObject(part: string, what: string): JsonObject {
  try {
    const value = parseStrictJson(decode(part, what), JSON_LIMITS);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  } catch (cause) {
    if (cause instanceof SpiffeError) throw cause;
    throw malformed(`has a ${what} that is not strict JSON`, cause);
  }
  throw malformed(`has a ${what} that is no object`);
}

function decode(part: string, what: string): Buffer {
  try {
    return decodeBase64Url(part);
  } catch (cause) {
    throw malformed(`has a ${what} that is not base64url`, cause);
  }
}

function malformed(rule: string, cause?: unknown): SpiffeError {
  return new SpiffeError('JWT_MALFORMED', `The JWT-SVID ${rule}`, { cause });
}
