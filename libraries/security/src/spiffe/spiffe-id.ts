import { SpiffeError } from './spiffe-error.ts';
import { lowerAscii, TrustDomain } from './trust-domain.ts';

const SCHEME = 'spiffe://';
/** SPIFFE-ID, 2.3. */
const MAX_ID_BYTES = 2048;
/** SPIFFE-ID, 2.2; what it does not take is judged segment by segment. */
const PLAIN_PATH = /^(?:\/[a-zA-Z0-9_-][a-zA-Z0-9._-]*)*$/;
const SEGMENT = /^[a-zA-Z0-9._-]+$/;

/** The name of a workload, such as `spiffe://example.org/ns/prod/sa/api`. Two equal IDs have equal text. */
export class SpiffeId {
  readonly trustDomain: TrustDomain;
  /** Empty, or a slash and the segments. */
  readonly path: string;
  /** Made once: servers compare and look up the text with every call. */
  readonly #text: string;

  private constructor(trustDomain: TrustDomain, path: string) {
    this.trustDomain = trustDomain;
    this.path = path;
    this.#text = `${SCHEME}${trustDomain.name}${path}`;
  }

  /**
   * Reads an ID without a URL parser, because those quietly resolve `..` and decode escapes.
   * @param options `normalizeCase` lowers scheme and trust domain (SPIFFE-ID, 2.4), for configuration that people
   * type; without it upper case there is refused.
   * @throws SpiffeError `SPIFFE_ID_INVALID`, `TRUST_DOMAIN_INVALID`
   */
  static parse(text: string, options: { readonly normalizeCase?: boolean } = {}): SpiffeId {
    if (text.length > MAX_ID_BYTES) throw invalid(`is longer than ${MAX_ID_BYTES} bytes`);
    const scheme = text.slice(0, SCHEME.length);
    if ((options.normalizeCase ? lowerAscii(scheme) : scheme) !== SCHEME) throw invalid(`must start with ${SCHEME}`);
    const slash = text.indexOf('/', SCHEME.length);
    const end = slash === -1 ? text.length : slash;
    const trustDomain = TrustDomain.parse(text.slice(SCHEME.length, end), options);
    const path = text.slice(end);
    assertPath(path);
    return new SpiffeId(trustDomain, path);
  }

  /**
   * The ID of a workload from its trust domain and at least one segment, each judged by itself: none can smuggle in a slash.
   * @throws SpiffeError `SPIFFE_ID_INVALID`
   */
  static fromSegments(trustDomain: TrustDomain, ...segments: readonly [string, ...string[]]): SpiffeId {
    for (const segment of segments) assertSegment(segment);
    // SPIFFE-ID, 2.3: a longer ID is not made either.
    return SpiffeId.parse(`${SCHEME}${trustDomain.name}/${segments.join('/')}`);
  }

  /** The path without its slashes; none for the ID of a trust domain. */
  get segments(): readonly string[] {
    return this.path === '' ? [] : this.path.slice(1).split('/');
  }

  memberOf(trustDomain: TrustDomain): boolean {
    return this.trustDomain.equals(trustDomain);
  }

  equals(other: SpiffeId): boolean {
    return this.path === other.path && this.trustDomain.equals(other.trustDomain);
  }

  toString(): string {
    return this.#text;
  }

  toJSON(): string {
    return this.toString();
  }
}

function assertPath(path: string): void {
  if (PLAIN_PATH.test(path)) return;
  for (const segment of path.slice(1).split('/')) assertSegment(segment);
}

function assertSegment(segment: string): void {
  if (segment === '') throw invalid('has an empty path segment or ends with a slash');
  if (segment === '.' || segment === '..') throw invalid('has a relative path segment');
  if (!SEGMENT.test(segment)) {
    throw invalid('may hold only letters, digits, dot, dash and underscore in a path segment');
  }
}

function invalid(rule: string): SpiffeError {
  return new SpiffeError('SPIFFE_ID_INVALID', `The SPIFFE ID ${rule}`);
}
