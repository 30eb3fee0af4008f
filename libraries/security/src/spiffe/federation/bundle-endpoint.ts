import { SpiffeError } from '../spiffe-error.ts';
import { SpiffeId } from '../spiffe-id.ts';
import { TrustDomain } from '../trust-domain.ts';

interface Endpoint {
  /** Whose bundle the endpoint serves. Never taken from the URL or the endpoint's ID. */
  readonly trustDomain: TrustDomain | string;
  /** `https://…` without user or password. */
  readonly url: string;
}

/** The server shows a certificate of a public authority for the host of the URL. */
export interface WebBundleEndpoint extends Endpoint {
  readonly profile: 'https_web';
  /** PEM of the authorities to trust instead of those that Node brings. */
  readonly ca?: string | Buffer;
}

/** The server shows an X509-SVID. */
export interface SpiffeBundleEndpoint extends Endpoint {
  readonly profile: 'https_spiffe';
  /** The ID that the server must have, and no other. */
  readonly endpointId: SpiffeId | string;
}

/** Where a bundle is fetched and how the server proves itself (Federation, 5.1). There is no default and no fallback. */
export type BundleEndpoint = WebBundleEndpoint | SpiffeBundleEndpoint;

export type ResolvedEndpoint = { readonly trustDomain: TrustDomain; readonly url: URL } & (
  | { readonly profile: 'https_web'; readonly ca: string | Buffer | undefined }
  | { readonly profile: 'https_spiffe'; readonly endpointId: SpiffeId }
);

/** @throws TypeError for a missing or unknown option; SpiffeError `BUNDLE_URL_REFUSED` and those of names and IDs */
export function resolveEndpoint(endpoint: BundleEndpoint): ResolvedEndpoint {
  const { trustDomain: name, profile } = endpoint;
  if (name === undefined) throw new TypeError('trustDomain is missing: it is not inferred from anything else');
  if (typeof endpoint.url !== 'string') throw new TypeError('url is missing');
  const trustDomain = typeof name === 'string' ? TrustDomain.parse(name) : name;
  const url = parseEndpointUrl(endpoint.url);
  if (profile === 'https_web') return { trustDomain, url, profile, ca: endpoint.ca };
  if (profile !== 'https_spiffe') throw new TypeError('profile must be https_web or https_spiffe');
  const { endpointId: id } = endpoint;
  if (id === undefined) throw new TypeError('endpointId is missing: https_spiffe needs the ID of the server');
  const endpointId = typeof id === 'string' ? SpiffeId.parse(id) : id;
  if (endpointId.path === '') throw new TypeError('endpointId names a trust domain instead of a workload');
  return { trustDomain, url, profile, endpointId };
}

/** A server that is in the very trust domain whose bundle it serves. */
export function isSelfServing(endpoint: ResolvedEndpoint): boolean {
  return endpoint.profile === 'https_spiffe' && endpoint.endpointId.memberOf(endpoint.trustDomain);
}

/**
 * Federation, 5.2.1.1 and 5.2.2.1. The text is looked at before the URL parser sees it: that one drops an empty user,
 * skips control characters and takes backslashes for slashes.
 * @param base Resolves a redirect.
 * @throws SpiffeError `BUNDLE_URL_REFUSED`
 */
export function parseEndpointUrl(text: string, base?: URL): URL {
  if (text.length > MAX_URL_CHARACTERS) throw refused(`is longer than ${MAX_URL_CHARACTERS} characters`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u0020\u007f\\]/.test(text)) throw refused('holds a space, a control character or a backslash');
  if (base === undefined && !/^https:\/\//i.test(text)) throw refused('must start with https://');
  const authority = /^(?:[^:/?#]+:)?\/\/([^/?#]*)/.exec(text)?.[1] ?? '';
  if (authority.includes('@')) throw refused('must not name a user');
  const url = parseUrl(text, base);
  if (url.protocol !== 'https:' || url.hostname === '') throw refused('must start with https:// and a host');
  if (url.username !== '' || url.password !== '') throw refused('must not name a user');
  return url;
}

const MAX_URL_CHARACTERS = 2048;

function parseUrl(text: string, base: URL | undefined): URL {
  try {
    return new URL(text, base);
  } catch {
    throw refused('is malformed');
  }
}

function refused(rule: string): SpiffeError {
  return new SpiffeError('BUNDLE_URL_REFUSED', `The URL of the bundle endpoint ${rule}`);
}
