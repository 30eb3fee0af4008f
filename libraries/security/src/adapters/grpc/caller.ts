import type { Metadata } from '@grpc/grpc-js';
import type { SpiffeId } from '../../spiffe/index.ts';

const CALLER = Symbol('caller');

interface WithCaller extends Metadata {
  [CALLER]?: SpiffeId;
}

/** Notes who makes the call that arrived with `metadata`: no header can set it. A WeakMap would cost more than the verification. */
export function setCaller(metadata: WithCaller, id: SpiffeId): void {
  metadata[CALLER] = id;
}

/**
 * Who makes this call, for handlers behind a `SpiffeAuthInterceptor`.
 * @throws TypeError for a call that none has let through by its identity, such as one of its exceptions
 */
export function callerOf(call: { readonly metadata: WithCaller }): SpiffeId {
  const id = call.metadata[CALLER];
  if (id === undefined) throw new TypeError('call: no SpiffeAuthInterceptor has authenticated it');
  return id;
}
