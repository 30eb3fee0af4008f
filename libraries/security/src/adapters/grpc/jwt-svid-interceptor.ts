import { InterceptingCall, type InterceptingListener, type Interceptor, Metadata, status } from '@grpc/grpc-js';
import { type Clock, messageOf, systemClock } from '../../common/index.ts';
import { type JwtSvid, SpiffeError } from '../../spiffe/index.ts';

/** `JwtSource` is one. */
export interface JwtSvidFetcher {
  fetchJwtSvid(request: { audience: string | readonly string[]; signal?: AbortSignal }): Promise<JwtSvid>;
  /** The token when it is at hand. With it a call does not wait, and costs less. */
  cachedJwtSvid?(request: { audience: string | readonly string[] }): JwtSvid | undefined;
}

/**
 * Sends the workload's JWT-SVID with every call, `authorization: Bearer` (JWT-SVID, 5.3). Only over connections that
 * are confidential or stay on the host. A call without a token to be had ends as `UNAVAILABLE`, or as
 * `UNAUTHENTICATED` when the agent has no identity for this process.
 */
export function jwtSvidInterceptor(
  source: JwtSvidFetcher,
  audience: string | readonly string[],
  { clock = systemClock }: { readonly clock?: Clock } = {},
): Interceptor {
  return (options, nextCall) => {
    const call = nextCall(options);
    let end: ((code: status, details: string) => void) | undefined;
    return new InterceptingCall(call, {
      start(metadata, listener, next) {
        const cached = source.cachedJwtSvid?.({ audience });
        if (cached !== undefined) {
          next(withToken(metadata, cached), listener);
          return;
        }
        const abort = new AbortController();
        const deadline = options.deadline instanceof Date ? options.deadline.getTime() : (options.deadline ?? Infinity);
        const timer =
          deadline === Infinity
            ? undefined
            : clock.setTimer(deadline - clock.now(), () => end?.(status.DEADLINE_EXCEEDED, 'No JWT-SVID in time'));
        end = (code, details) => {
          settle();
          abort.abort();
          call.cancelWithStatus(code, details);
          finish(listener, code, details);
        };
        const settle = (): void => {
          end = undefined;
          timer?.cancel();
        };
        source.fetchJwtSvid({ audience, signal: abort.signal }).then(
          (svid) => {
            if (end === undefined) return;
            settle();
            next(withToken(metadata, svid), listener);
          },
          (error: unknown) => end?.(codeOf(error), `No JWT-SVID for this call: ${messageOf(error)}`),
        );
      },
      cancel(next) {
        // A call that was never started reports nothing by itself.
        if (end === undefined) next();
        else end(status.CANCELLED, 'Cancelled on client');
      },
    });
  };
}

/** The caller's own object may be used for further calls. */
function withToken(metadata: Metadata, { token }: JwtSvid): Metadata {
  const own = metadata.clone();
  own.set('authorization', `Bearer ${token.reveal()}`);
  return own;
}

function finish(listener: InterceptingListener, code: status, details: string): void {
  listener.onReceiveStatus({ code, details, metadata: new Metadata() });
}

function codeOf(error: unknown): status {
  if (!(error instanceof SpiffeError) || error.code === 'WORKLOAD_API_PERMISSION_DENIED') return status.UNAUTHENTICATED;
  return error.retryable ? status.UNAVAILABLE : status.UNAUTHENTICATED;
}
