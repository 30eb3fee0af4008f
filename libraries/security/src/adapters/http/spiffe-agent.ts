import { Agent, type buildConnector } from 'undici';
import { connectTls, type PeerRules } from '../../tls/index.ts';

export interface SpiffeAgentOptions extends PeerRules {
  /** Until a new connection is verified, in milliseconds, default 10 000. */
  readonly connectTimeoutMs?: number;
  /** Everything else undici's `Agent` takes. */
  readonly agent?: Omit<Agent.Options, 'connect'>;
}

const HTTPS_PORT = 443;

/**
 * An undici dispatcher whose every new connection uses the identity's current SVID and goes only to a verified and
 * authorized server. Open connections keep the SVID they were made with. Plain `http:` is refused.
 */
export function spiffeAgent(options: SpiffeAgentOptions): Agent {
  const { connectTimeoutMs, agent, ...rules } = options;
  const connect: buildConnector.connector = (target, callback) => {
    if (target.protocol !== 'https:') {
      callback(new TypeError('A SPIFFE agent connects to https: only'), null);
      return;
    }
    connectTls({
      ...rules,
      host: bareHost(target.hostname),
      port: target.port === '' ? HTTPS_PORT : Number(target.port),
      alpnProtocols: ['http/1.1'],
      ...(connectTimeoutMs === undefined ? {} : { timeoutMs: connectTimeoutMs }),
    }).then(
      (socket) => callback(null, socket),
      (error: Error) => callback(error, null),
    );
  };
  return new Agent({ ...agent, connect });
}

/** A URL writes an IPv6 address in brackets. */
function bareHost(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}
