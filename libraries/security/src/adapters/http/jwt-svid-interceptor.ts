import { isIPv4 } from 'node:net';
import type { Dispatcher } from 'undici';
import { type JwtSvid, SpiffeError } from '../../spiffe/index.ts';

/** `JwtSource` is one. */
export interface JwtSvidFetcher {
  fetchJwtSvid(request: { audience: string | readonly string[]; signal?: AbortSignal }): Promise<JwtSvid>;
}

/**
 * Sends the workload's JWT-SVID with every request of an undici dispatcher, `authorization: Bearer` (JWT-SVID, 5.2):
 * `agent.compose(jwtSvidInterceptor(source, 'api.example.org'))`. What the caller has put there itself is replaced.
 * Only over `https:` or to this very host (JWT-SVID, 7.3); any other request fails with `JWT_LINK_REFUSED` and sends nothing.
 */
export function jwtSvidInterceptor(
  source: JwtSvidFetcher,
  audience: string | readonly string[],
): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) => {
    const { origin = '' } = options;
    if (!isConfidential(new URL(origin))) {
      const message =
        'A JWT-SVID is sent over https: or to this host only: a token that is read on its way can be used';
      throw new SpiffeError('JWT_LINK_REFUSED', message);
    }
    source.fetchJwtSvid({ audience }).then(
      ({ token }) => {
        const headers = [...entriesOf(options.headers), 'authorization', `Bearer ${token.reveal()}`];
        dispatch({ ...options, headers }, handler);
      },
      // The request has not begun, so there is no controller yet; undici's own interceptors do the same.
      (error: Error) => handler.onResponseError?.(null as unknown as Dispatcher.DispatchController, error),
    );
    return true;
  };
}

function isConfidential({ protocol, hostname }: URL): boolean {
  if (protocol === 'https:') return true;
  return hostname === 'localhost' || hostname === '[::1]' || (isIPv4(hostname) && hostname.startsWith('127.'));
}

/** Names and values in turn, without an authorization. */
function entriesOf(headers: Dispatcher.DispatchOptions['headers']): string[] {
  const entries: string[] = [];
  const add = (name: string, value: string | readonly string[] | undefined): void => {
    if (value === undefined || name.toLowerCase() === 'authorization') return;
    for (const one of typeof value === 'string' ? [value] : value) entries.push(name, one);
  };
  if (headers === undefined || headers === null) return entries;
  if (Array.isArray(headers)) {
    for (let index = 0; index < headers.length; index += 2) add(String(headers[index]), headers[index + 1]);
  } else if (Symbol.iterator in headers) {
    for (const [name, value] of headers) add(name, value);
  } else {
    for (const [name, value] of Object.entries(headers)) add(name, value);
  }
  return entries;
}
