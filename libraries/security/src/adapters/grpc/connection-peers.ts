import type { Socket } from 'node:net';
import type { ServerInterceptingCallInterface } from '@grpc/grpc-js';
import type { SpiffeId } from '../../spiffe/index.ts';

type Ends = Pick<Socket, 'localAddress' | 'localPort' | 'remoteAddress' | 'remotePort'>;

/** A call knows its connection only by the addresses of both ends, which no two open connections share. */
const peers = new Map<string, SpiffeId>();

function keyOf({ localAddress, localPort, remoteAddress, remotePort }: Partial<Ends>): string | undefined {
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
}

/** Notes who is at the other end, until the connection closes. */
export function rememberPeer(socket: Socket, id: SpiffeId): void {
  const key = keyOf(socket);
  // The other end has gone already: no call will come.
  if (key === undefined) return;
  peers.set(key, id);
  socket.once('close', () => peers.delete(key));
}

/** The identity that the caller proved with its X509-SVID to `listenSpiffe`; undefined on any other connection. */
export function connectionPeerOf(
  call: Pick<ServerInterceptingCallInterface, 'getConnectionInfo'>,
): SpiffeId | undefined {
  if (peers.size === 0) return undefined;
  const key = keyOf(call.getConnectionInfo() as Partial<Ends>);
  return key === undefined ? undefined : peers.get(key);
}
