import type { Metadata } from '@grpc/grpc-js';
import type { SpiffeId } from '../../spiffe/index.ts';

const callers = new WeakMap<Metadata, SpiffeId>();

/** Notes who makes the call that arrived with `metadata`. Metadata cannot be forged: it is known by its object. */
export function setCaller(metadata: Metadata, id: SpiffeId): void {
  callers.set(metadata, id);
}

/**
 * Who makes this call, for handlers behind a `SpiffeAuthInterceptor`.
 * @throws TypeError for a call that none has let through by its identity, such as one of its exceptions
 */
export function callerOf(call: { readonly metadata: Metadata }): SpiffeId {
  const id = callers.get(call.metadata);
  if (id === undefined) throw new TypeError('call: no SpiffeAuthInterceptor has authenticated it');
  return id;
}
