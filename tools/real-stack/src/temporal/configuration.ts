import { join } from 'node:path';

/** A PostgreSQL that is reached by its socket, and who the server is there. */
export interface TemporalStore {
  readonly socketFolder: string;
  readonly port: number;
  readonly username: string;
  /** Run at every new connection; what it writes is the password. In the server's environment, see `environment`. */
  readonly passwordCommand: { readonly program: string; readonly args: readonly string[] };
  /** How long a connection lives, in milliseconds: none is older than this after the password changed. */
  readonly maxConnectionLifeMs: number;
}

export interface TemporalPorts {
  readonly clients: number;
  readonly http: number;
  /** Two for each role, gRPC and membership. */
  readonly roles: readonly number[];
}

export interface TemporalSettings {
  readonly folder: string;
  /** Authorities, besides the run's own, whose certificates clients may show. PEM. */
  readonly clientAuthorities: readonly string[];
  readonly ports: TemporalPorts;
  readonly store: TemporalStore;
  /** Whether calls need a token besides the certificate. */
  readonly authorization: boolean;
  /** By name, for all namespaces and task queues. */
  readonly dynamic: Readonly<Record<string, string | number | boolean>>;
}

export const DATABASES = { store: 'temporal', visibility: 'temporal_visibility' } as const;

/** Not the roles' usual names: with it calls between them need no token. */
const INTERNAL_FRONTEND = 'internal-frontend';
const ROLES = ['frontend', 'history', 'matching', 'worker'];

export const temporalPaths = (folder: string) => ({
  configuration: join(folder, 'temporal.json'),
  dynamic: join(folder, 'dynamic.json'),
  ca: join(folder, 'ca.pem'),
  clientAuthorities: join(folder, 'client-authorities.pem'),
  certificate: join(folder, 'tls.pem'),
  key: join(folder, 'tls-key.pem'),
  tokenKeys: join(folder, 'jwks.json'),
});

/** The roles that a server runs. */
export function rolesOf({ authorization }: Pick<TemporalSettings, 'authorization'>): readonly string[] {
  return authorization ? [...ROLES, INTERNAL_FRONTEND] : ROLES;
}

/** The server's configuration, as JSON: what reads it takes YAML. */
export function temporalConfiguration(settings: TemporalSettings): string {
  const { ports, folder, authorization } = settings;
  const paths = temporalPaths(folder);
  return JSON.stringify({
    log: { level: 'warn' },
    persistence: {
      defaultStore: 'store',
      visibilityStore: 'visibility',
      numHistoryShards: 4,
      datastores: {
        store: { sql: storeOf(settings, DATABASES.store, 20) },
        visibility: { sql: storeOf(settings, DATABASES.visibility, 5) },
      },
    },
    global: {
      membership: { maxJoinDuration: '30s', broadcastAddress: '127.0.0.1' },
      tls: {
        frontend: {
          server: {
            certFile: paths.certificate,
            keyFile: paths.key,
            clientCaFiles: [paths.ca, ...(settings.clientAuthorities.length > 0 ? [paths.clientAuthorities] : [])],
            requireClientAuth: true,
          },
          client: { serverName: 'localhost', rootCaFiles: [paths.ca] },
        },
        systemWorker: {
          certFile: paths.certificate,
          keyFile: paths.key,
          client: { serverName: 'localhost', rootCaFiles: [paths.ca] },
        },
      },
      ...(authorization
        ? {
            authorization: {
              authorizer: 'default',
              claimMapper: 'default',
              jwtKeyProvider: { keySourceURIs: [`file://${paths.tokenKeys}`] },
            },
          }
        : {}),
    },
    services: Object.fromEntries(
      rolesOf(settings).map((role, index) => [
        role,
        {
          rpc: {
            grpcPort: role === 'frontend' ? ports.clients : ports.roles[2 * index],
            membershipPort: ports.roles[2 * index + 1],
            bindOnLocalHost: true,
            ...(role === 'frontend' ? { httpPort: ports.http } : {}),
          },
        },
      ]),
    ),
    clusterMetadata: {
      enableGlobalNamespace: false,
      failoverVersionIncrement: 10,
      masterClusterName: 'active',
      currentClusterName: 'active',
      clusterInformation: {
        active: { enabled: true, initialFailoverVersion: 1, rpcAddress: `127.0.0.1:${ports.clients}` },
      },
    },
    dcRedirectionPolicy: { policy: 'noop' },
    dynamicConfigClient: { filepath: paths.dynamic, pollInterval: '10s' },
  });
}

export function dynamicConfiguration({ dynamic }: Pick<TemporalSettings, 'dynamic'>): string {
  const entries = Object.entries(dynamic).map(([name, value]) => [name, [{ value, constraints: {} }]]);
  return JSON.stringify(Object.fromEntries(entries));
}

function storeOf({ store }: TemporalSettings, databaseName: string, maxConns: number): object {
  const { username, passwordCommand, maxConnectionLifeMs } = store;
  return {
    pluginName: 'postgres12_pgx',
    databaseName,
    user: username,
    passwordCommand: { command: passwordCommand.program, args: passwordCommand.args },
    // Of no use beside the attribute `host`, and required.
    connectAddr: `localhost:${store.port}`,
    connectProtocol: 'tcp',
    connectAttributes: socketAttributes(store),
    maxConns,
    maxIdleConns: maxConns,
    maxConnLifetime: `${maxConnectionLifeMs}ms`,
  };
}

/** The driver takes the folder of a socket as a host. */
export function socketAttributes({
  socketFolder,
  port,
}: Pick<TemporalStore, 'socketFolder' | 'port'>): Readonly<Record<string, string>> {
  return { host: socketFolder, port: String(port) };
}
