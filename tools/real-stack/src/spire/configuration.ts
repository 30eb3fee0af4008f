import { join } from 'node:path';

/** What of a trust domain can be chosen. Lifetimes are in seconds; default: SPIRE's own. */
export interface SpireSettings {
  readonly trustDomain: string;
  readonly caTtlSeconds?: number | undefined;
  readonly x509TtlSeconds?: number | undefined;
  readonly jwtTtlSeconds?: number | undefined;
  readonly caKeyType?: SpireKeyType | undefined;
  readonly jwtKeyType?: SpireKeyType | undefined;
  /** The `iss` of JWT-SVIDs. */
  readonly jwtIssuer?: string | undefined;
  /** The authority that issues the server's own; PEM. Default: the server's is self-signed, a root. */
  readonly upstreamAuthority?: { readonly certificatePem: string; readonly keyPem: string } | undefined;
  /** Where keys are kept. Default `disk`; an agent with `memory` cannot be started again. */
  readonly keyManager?: 'disk' | 'memory' | undefined;
  /** How the agent comes to trust the server. Default `bundle`. */
  readonly bootstrap?: 'bundle' | 'insecure' | undefined;
}

export type SpireKeyType = 'rsa-2048' | 'rsa-4096' | 'ec-p256' | 'ec-p384';

/** Files and sockets below one short private folder. The agent gives the one of its socket a mode of its own. */
export function spirePaths(folder: string, agentSocket = join(folder, 'agent', 'api.sock')) {
  return {
    serverSocket: join(folder, 'server.sock'),
    agentSocket,
    serverConfiguration: join(folder, 'server.json'),
    agentConfiguration: join(folder, 'agent.json'),
    oidcConfiguration: join(folder, 'oidc.json'),
    serverData: join(folder, 'server-data'),
    agentData: join(folder, 'agent-data'),
    joinToken: join(folder, 'join-token'),
    trustBundle: join(folder, 'bundle.pem'),
    oidcCertificate: join(folder, 'oidc.pem'),
    oidcKey: join(folder, 'oidc-key.pem'),
    upstreamCertificate: join(folder, 'upstream.pem'),
    upstreamKey: join(folder, 'upstream-key.pem'),
    serverLog: join(folder, 'server.log'),
    agentLog: join(folder, 'agent.log'),
    oidcLog: join(folder, 'oidc.log'),
  };
}

export type SpirePaths = ReturnType<typeof spirePaths>;

const seconds = (value: number | undefined): string | undefined => (value === undefined ? undefined : `${value}s`);

function plugin(name: string, data: Readonly<Record<string, unknown>> = {}) {
  return [{ [name]: { plugin_data: data } }];
}

/** SPIRE reads JSON as well as its own format; members that are undefined are left out. */
export function serverConfiguration(
  settings: SpireSettings,
  paths: SpirePaths,
  ports: { readonly server: number; readonly bundleEndpoint?: number | undefined },
) {
  const { keyManager = 'disk' } = settings;
  const endpoint = { address: '127.0.0.1', port: ports.bundleEndpoint, profile: [{ https_spiffe: {} }] };
  return {
    server: {
      bind_address: '127.0.0.1',
      bind_port: ports.server,
      socket_path: paths.serverSocket,
      trust_domain: settings.trustDomain,
      data_dir: paths.serverData,
      log_file: paths.serverLog,
      log_level: 'INFO',
      ca_ttl: seconds(settings.caTtlSeconds),
      ca_key_type: settings.caKeyType,
      jwt_key_type: settings.jwtKeyType,
      jwt_issuer: settings.jwtIssuer,
      default_x509_svid_ttl: seconds(settings.x509TtlSeconds),
      default_jwt_svid_ttl: seconds(settings.jwtTtlSeconds),
      // A workload's TTL is no reason for the agent to attest as often.
      agent_ttl: '1h',
      // Tests wait for new entries: five seconds by default.
      experimental: { cache_reload_interval: '500ms' },
      ...(ports.bundleEndpoint === undefined ? {} : { federation: { bundle_endpoint: endpoint } }),
    },
    plugins: {
      DataStore: plugin('sql', {
        database_type: 'sqlite3',
        connection_string: join(paths.serverData, 'datastore.sqlite3'),
      }),
      NodeAttestor: plugin('join_token'),
      KeyManager: plugin(keyManager, keyManager === 'disk' ? { keys_path: join(paths.serverData, 'keys.json') } : {}),
      ...(settings.upstreamAuthority === undefined
        ? {}
        : {
            UpstreamAuthority: plugin('disk', {
              cert_file_path: paths.upstreamCertificate,
              key_file_path: paths.upstreamKey,
            }),
          }),
    },
  };
}

export function agentConfiguration(settings: SpireSettings, paths: SpirePaths, ports: { readonly server: number }) {
  const { keyManager = 'disk', bootstrap = 'bundle' } = settings;
  return {
    agent: {
      data_dir: paths.agentData,
      log_file: paths.agentLog,
      log_level: 'INFO',
      server_address: '127.0.0.1',
      server_port: ports.server,
      socket_path: paths.agentSocket,
      trust_domain: settings.trustDomain,
      // By file: command lines are visible to everybody.
      join_token_file: paths.joinToken,
      ...(bootstrap === 'insecure' ? { insecure_bootstrap: true } : { trust_bundle_path: paths.trustBundle }),
      experimental: { sync_interval: '500ms' },
    },
    plugins: {
      NodeAttestor: plugin('join_token'),
      KeyManager: plugin(keyManager, keyManager === 'disk' ? { directory: paths.agentData } : {}),
      // With the path, workloads of one user can be told apart.
      WorkloadAttestor: plugin('unix', { discover_workload_path: true }),
    },
  };
}

export function oidcConfiguration(paths: SpirePaths, options: { readonly port: number; readonly issuer: string }) {
  return {
    log_level: 'INFO',
    log_path: paths.oidcLog,
    domains: ['127.0.0.1', 'localhost'],
    jwt_issuer: options.issuer,
    jwks_uri: `https://127.0.0.1:${options.port}/keys`,
    serving_cert_file: {
      addr: `127.0.0.1:${options.port}`,
      cert_file_path: paths.oidcCertificate,
      key_file_path: paths.oidcKey,
    },
    server_api: { address: `unix://${paths.serverSocket}`, poll_interval: '500ms' },
  };
}
