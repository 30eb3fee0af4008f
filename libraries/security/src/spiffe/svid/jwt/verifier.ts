import { BoundedMap, type Clock, systemClock } from '../../../common/index.ts';
import type { JwtBundle } from '../../bundle/jwt/jwt-bundle.ts';
import type { JwtSvid } from './jwt-svid.ts';
import { type JwtVerifyOptions, resolveVerifyOptions, verifyJwtSvid } from './verify.ts';

export interface JwtVerifierOptions extends Omit<JwtVerifyOptions, 'nowMs'> {
  /** How many verified tokens are remembered, default 1024; 0 remembers none. */
  readonly maxRemembered?: number;
  /** How long a verified token is remembered at most, in seconds from 0 to 3600, default 300; never beyond its `exp`. */
  readonly rememberSeconds?: number;
  readonly clock?: Clock;
}

interface Remembered {
  readonly svid: JwtSvid;
  /** The one whose key made the signature. */
  readonly bundle: JwtBundle;
  readonly verifiedAtMs: number;
}

const DEFAULT_MAX_REMEMBERED = 1024;
const DEFAULT_REMEMBER_SECONDS = 300;
const MAX_REMEMBER_SECONDS = 3600;

/**
 * Verifies tokens by `verifyJwtSvid` for one audience, issuer and leeway, and remembers those that passed: workloads send
 * the same token with every call. What it remembers ends with the token, and all of it when a bundle changes.
 */
export class JwtVerifier {
  readonly #options: Omit<JwtVerifyOptions, 'nowMs'>;
  readonly #clock: Clock;
  readonly #rememberMs: number;
  readonly #remembered: BoundedMap<string, Remembered>;

  /** @throws TypeError without an audience; RangeError for an option out of range */
  constructor(options: JwtVerifierOptions) {
    const {
      clock = systemClock,
      maxRemembered = DEFAULT_MAX_REMEMBERED,
      rememberSeconds = DEFAULT_REMEMBER_SECONDS,
      ...rest
    } = options;
    if (!Number.isSafeInteger(maxRemembered) || maxRemembered < 0) {
      throw new RangeError('maxRemembered: must be 0 or more');
    }
    if (!(rememberSeconds >= 0 && rememberSeconds <= MAX_REMEMBER_SECONDS)) {
      throw new RangeError(`rememberSeconds: must lie between 0 and ${MAX_REMEMBER_SECONDS}`);
    }
    // A list that its owner changes later must not change what the remembered tokens were meant for.
    const audience = typeof rest.audience === 'string' ? rest.audience : [...rest.audience];
    resolveVerifyOptions({ ...rest, audience });
    this.#options = { ...rest, audience };
    this.#clock = clock;
    this.#rememberMs = rememberSeconds * 1000;
    this.#remembered = new BoundedMap(maxRemembered);
  }

  /**
   * @returns The same frozen object for the same token.
   * @throws SpiffeError as `verifyJwtSvid`
   */
  verify(token: string): JwtSvid {
    const nowMs = this.#clock.now();
    const found = this.#remembered.get(token, nowMs);
    // Before that moment `nbf` was not judged.
    if (found !== undefined && nowMs >= found.verifiedAtMs && this.#isCurrent(found)) return found.svid;
    return this.#verify(token, nowMs);
  }

  /** A bundle is never changed in place: any change makes another object, and a bundle that is gone makes none. */
  #isCurrent({ svid, bundle }: Remembered): boolean {
    if (this.#options.bundles.getJwtBundle(svid.id.trustDomain) === bundle) return true;
    this.#remembered.clear();
    return false;
  }

  #verify(token: string, nowMs: number): JwtSvid {
    let bundle: JwtBundle | undefined;
    const bundles: JwtVerifyOptions['bundles'] = {
      getJwtBundle: (trustDomain) => {
        bundle = this.#options.bundles.getJwtBundle(trustDomain);
        return bundle;
      },
    };
    const svid = freeze(verifyJwtSvid(token, { ...this.#options, bundles, nowMs }));
    if (bundle !== undefined) {
      const untilMs = Math.min(svid.expiresAtMs, nowMs + this.#rememberMs);
      if (nowMs < untilMs) this.#remembered.set(token, { svid, bundle, verifiedAtMs: nowMs }, untilMs);
    }
    return svid;
  }
}

/** Several callers get the object: none may change what the others read. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const member of Object.values(value)) freeze(member);
  return Object.freeze(value);
}
