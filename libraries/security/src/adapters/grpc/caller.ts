import type { Metadata } from '@grpc/grpc-js';
import type { SpiffeId } from '../../spiffe/index.ts';

/** Only this file can name it, so nothing that arrives can set it; a weak map would cost the collector a look a call. */
const CALLER = Symbol('caller');

type Received = Metadata & { [CALLER]?: SpiffeId };

/** Notes who makes the call that arrived with `metadata`. */
export function setCaller(metadata: Metadata, id: SpiffeId): void {
  (metadata as Received)[CALLER] = id;
}

/**
 * Who makes this call, for handlers behind a `SpiffeAuthInterceptor`.
 * @throws TypeError for a call that none has let through by its identity, such as one of its exceptions
 */
export function callerOf(call: { readonly metadata: Metadata }): SpiffeId {
  const id = (call.metadata as Received)[CALLER];
  if (id === undefined) throw new TypeError('call: no SpiffeAuthInterceptor has authenticated it');
  return id;
}
