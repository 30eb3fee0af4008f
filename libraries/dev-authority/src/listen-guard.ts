import { isIPv4, isIPv6 } from 'node:net';
import { AuthorityError } from './authority-error.ts';

/** Never in production; beyond loopback only when the configuration and the environment both say so. */
export function assertAllowedToStart(host: string, allowRemote: boolean, env: NodeJS.ProcessEnv): void {
  if (env.NODE_ENV === 'production') {
    throw new AuthorityError(
      'production_refused',
      'NODE_ENV is production: the development authority does not run there, use Vault or OpenBao',
    );
  }
  if (isLoopback(host) || (allowRemote && env.DEV_AUTHORITY_ALLOW_REMOTE === '1')) return;
  throw new AuthorityError(
    'remote_refused',
    'The host is not a loopback address: use 127.0.0.1, or set both allowRemote and DEV_AUTHORITY_ALLOW_REMOTE=1',
  );
}

function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith('127.');
  return isIPv6(host) ? host === '::1' : false;
}
