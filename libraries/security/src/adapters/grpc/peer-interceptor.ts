import { type Metadata, ServerInterceptingCall, type ServerInterceptor, ServerListenerBuilder } from '@grpc/grpc-js';
import type { SpiffeId } from '../../spiffe/index.ts';
import { connectionPeerOf } from './connection-peers.ts';

const peers = new WeakMap<Metadata, SpiffeId>();

/** For the server's option `interceptors`: lets `peerOf` tell handlers behind `listenSpiffe` who is at the other end. */
export const peerInterceptor: ServerInterceptor = (_method, call) =>
  new ServerInterceptingCall(call, {
    start: (next) => {
      const listener = new ServerListenerBuilder().withOnReceiveMetadata((metadata, proceed) => {
        const id = connectionPeerOf(call);
        if (id !== undefined) peers.set(metadata, id);
        proceed(metadata);
      });
      next(listener.build());
    },
  });

/**
 * The ID that the caller's connection proved with its X509-SVID, behind `peerInterceptor`; undefined without one. A
 * proxy that ends TLS is such a caller: who made the call, by its token, says `callerOf`.
 */
export function peerOf(call: { readonly metadata: Metadata }): SpiffeId | undefined {
  return peers.get(call.metadata);
}
