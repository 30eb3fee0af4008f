import { type IncomingMessage, request } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { type Clock, messageOf, systemClock } from '../../common/index.ts';
import { MAX_BUNDLE_BYTES, parseSpiffeBundle } from '../bundle/spiffe/parse.ts';
import type { SpiffeBundle } from '../bundle/spiffe/spiffe-bundle.ts';
import type { X509BundleSource } from '../bundle/x509/x509-bundle.ts';
import { SpiffeError } from '../spiffe-error.ts';
import { type BundleEndpoint, parseEndpointUrl, type ResolvedEndpoint, resolveEndpoint } from './bundle-endpoint.ts';
import { connectToEndpoint } from './endpoint-connection.ts';

export interface FetchBundleOptions {
  /** Verifies the server of an `https_spiffe` endpoint: the newest bundle of the trust domain of its ID. */
  readonly bundles?: X509BundleSource;
  /** For the whole fetch with all its redirects, in milliseconds; default 30 000. */
  readonly timeoutMs?: number;
  /** How many redirects are followed; default 5. */
  readonly maxRedirects?: number;
  /** The longest document that is taken, in bytes; default and most 1 MiB. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Fetches the bundle of a foreign trust domain once (Federation, 5). Only a 200 is an answer; a redirect is followed when
 * its target is an endpoint URL of the same profile, and its server is held to the same rules.
 * @throws SpiffeError `BUNDLE_URL_REFUSED`, `BUNDLE_ENDPOINT_REFUSED`, `BUNDLE_FETCH_FAILED` (retryable),
 * `SPIFFE_BUNDLE_INVALID`; TypeError for a wrong endpoint; the signal's reason when it is aborted
 */
export async function fetchBundle(endpoint: BundleEndpoint, options: FetchBundleOptions = {}): Promise<SpiffeBundle> {
  return fetchResolved(resolveEndpoint(endpoint), options);
}

export async function fetchResolved(endpoint: ResolvedEndpoint, options: FetchBundleOptions): Promise<SpiffeBundle> {
  const { clock = systemClock, timeoutMs = 30_000, maxRedirects = 5, signal } = options;
  const deadline = new AbortController();
  const timer = clock.setTimer(timeoutMs, () =>
    deadline.abort(failed(endpoint.url, `no answer within ${timeoutMs} ms`)),
  );
  const until = signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal]);
  try {
    // F-07: always from the configured URL; where it led to last time is not remembered.
    let url = endpoint.url;
    for (let redirects = 0; ; redirects += 1) {
      const answer = await get(url, endpoint, options, until);
      if (answer.body !== undefined) return parseSpiffeBundle(endpoint.trustDomain, answer.body);
      if (redirects === maxRedirects) throw failed(endpoint.url, `more than ${maxRedirects} redirects`);
      url = parseEndpointUrl(answer.location, url);
    }
  } finally {
    timer.cancel();
  }
}

type Answer = { readonly body: Uint8Array } | { readonly body?: never; readonly location: string };

async function get(
  url: URL,
  endpoint: ResolvedEndpoint,
  { bundles, clock = systemClock, maxBytes = MAX_BUNDLE_BYTES }: FetchBundleOptions,
  signal: AbortSignal,
): Promise<Answer> {
  const socket = await connectToEndpoint(url, endpoint, { bundles, nowMs: clock.now(), signal });
  try {
    const response = await respond(url, socket, signal);
    const { statusCode = 0, headers } = response;
    if (REDIRECTS.has(statusCode)) {
      if (headers.location === undefined) throw failed(url, `it redirected nowhere (status ${statusCode})`);
      return { location: headers.location };
    }
    if (statusCode !== 200) throw failed(url, `it answered with status ${statusCode}`);
    const encoding = headers['content-encoding'] ?? 'identity';
    if (encoding !== 'identity') throw failed(url, 'it compressed its answer unasked');
    return { body: await readBody(url, response, maxBytes) };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof SpiffeError) throw error;
    throw failed(url, messageOf(error), error);
  } finally {
    socket.destroy();
  }
}

function respond(url: URL, socket: TLSSocket, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const call = request({
      createConnection: () => socket,
      method: 'GET',
      path: `${url.pathname}${url.search}`,
      headers: { host: url.host, accept: 'application/json', 'accept-encoding': 'identity', connection: 'close' },
      signal,
    });
    call.once('response', resolve);
    // Also after the answer: whoever reads the body hears of it there.
    call.on('error', reject);
    // An answer that changes the protocol ends without an error.
    call.once('close', () => reject(failed(url, 'it closed the connection without an answer')));
    call.end();
  });
}

async function readBody(url: URL, response: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) throw failed(url, `its answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The query is left out: it may hold what is nobody's business. */
function failed(url: URL, why: string, cause?: unknown): SpiffeError {
  const message = `No bundle from ${url.origin}${url.pathname}: ${why}`;
  return new SpiffeError('BUNDLE_FETCH_FAILED', message, { retryable: true, cause });
}
