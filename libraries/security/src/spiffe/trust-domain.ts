import { SpiffeError } from './spiffe-error.ts';
import { SpiffeId } from './spiffe-id.ts';

/** SPIFFE-ID, 2.3. */
const MAX_TRUST_DOMAIN_BYTES = 255;
/** SPIFFE-ID, 2.1: lower case, no percent-encoding; a name is not treated as a DNS name or an address. */
const NAME = /^[a-z0-9._-]+$/;

/** The name of a trust root, such as `example.org`. */
export class TrustDomain {
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  /**
   * @param name The bare name, without `spiffe://`.
   * @param options `normalizeCase` lowers upper-case letters, for configuration that people type.
   * @throws SpiffeError `TRUST_DOMAIN_INVALID`
   */
  static parse(name: string, options: { readonly normalizeCase?: boolean } = {}): TrustDomain {
    const text = options.normalizeCase ? lowerAscii(name) : name;
    if (text === '') throw invalid('is empty');
    if (text.length > MAX_TRUST_DOMAIN_BYTES) throw invalid(`is longer than ${MAX_TRUST_DOMAIN_BYTES} bytes`);
    if (!NAME.test(text)) throw invalid('may hold only a-z, 0-9, dot, dash and underscore');
    return new TrustDomain(text);
  }

  /** The ID of the trust domain itself, which has no path. */
  get id(): SpiffeId {
    return SpiffeId.parse(`spiffe://${this.name}`);
  }

  equals(other: TrustDomain): boolean {
    return this.name === other.name;
  }

  toString(): string {
    return this.name;
  }

  toJSON(): string {
    return this.name;
  }
}

/** Only A to Z: `toLowerCase` also turns the Kelvin sign into a k. */
export function lowerAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function invalid(rule: string): SpiffeError {
  return new SpiffeError('TRUST_DOMAIN_INVALID', `The trust domain name ${rule}`);
}
