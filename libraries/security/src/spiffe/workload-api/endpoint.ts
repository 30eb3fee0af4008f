import { isIPv4, isIPv6 } from 'node:net';
import { assertSocketPath } from '../../common/index.ts';
import { SpiffeError } from '../spiffe-error.ts';

const ENVIRONMENT_NAME = 'SPIFFE_ENDPOINT_SOCKET';

function invalid(rule: string): SpiffeError {
  return new SpiffeError('ENDPOINT_INVALID', `The Workload API endpoint ${rule}`);
}

/**
 * Turns an endpoint (SPIFFE_Workload_Endpoint §4) into a gRPC target: `unix:` with an absolute path and no
 * authority, or `tcp://` with an IP address and a port. Without one `SPIFFE_ENDPOINT_SOCKET` is read. WHATWG URL is of no use
 * here: it rewrites paths silently.
 * @throws SpiffeError `ENDPOINT_INVALID`; RangeError for a socket path over 103 bytes
 */
export function endpointTarget(endpoint: string | undefined = process.env[ENVIRONMENT_NAME]): string {
  if (endpoint === undefined || endpoint === '') throw invalid(`is not known: pass one or set ${ENVIRONMENT_NAME}`);
  if (/[?#]/.test(endpoint)) throw invalid('must not have a query or a fragment');
  const unix = /^unix:(?:\/\/)?(\/.*)$/.exec(endpoint);
  if (unix !== null) {
    const path = unix[1] ?? '';
    // `unix:///p` leaves `/p`; `unix://host/p` does not match, since the path would have to start at `//`.
    if (path.startsWith('//')) throw invalid('of scheme unix must not have an authority');
    assertSocketPath(path);
    return `unix:${path}`;
  }
  const tcp = /^tcp:\/\/(\[[^\]]+\]|[^:/@]+):(\d{1,5})$/.exec(endpoint);
  if (tcp !== null) {
    const host = tcp[1] ?? '';
    const port = Number(tcp[2]);
    if (port < 1 || port > 65_535) throw invalid('of scheme tcp needs a port from 1 to 65535');
    if (isIPv4(host)) return `ipv4:${host}:${port}`;
    if (isIPv6(host.replaceAll(/[[\]]/g, ''))) return `ipv6:${host}:${port}`;
    throw invalid('of scheme tcp needs an IP address, not a name');
  }
  throw invalid('must be unix:///absolute/path or tcp://<IP>:<port>');
}
