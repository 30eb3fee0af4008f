import { connect as connectSocket } from 'node:net';
import { connect } from 'node:tls';

const LIMIT_MS = 5_000;

function settled(socket: ReturnType<typeof connectSocket>, event: string): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(LIMIT_MS, () => end(false));
    socket.once(event, () => end(true));
    socket.once('error', () => end(false));
  });
}

/** Whether a server at a port of the loopback interface proves to be the one of the authority. */
export function reachesTls(port: number, ca: string | Buffer): Promise<boolean> {
  return settled(connect({ host: '127.0.0.1', port, ca }), 'secureConnect');
}

/** Whether somebody accepts at a Unix socket. */
export function reachesSocket(path: string): Promise<boolean> {
  return settled(connectSocket(path), 'connect');
}
