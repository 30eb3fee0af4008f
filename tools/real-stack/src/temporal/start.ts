import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedPostgres, startPostgres } from '@neural-hive/embedded-postgres';
import { CertificateAuthority } from '@neural-hive/security/testing';
import { GuardedProcess } from '../guarded-process.ts';
import { RealStackError } from '../real-stack-error.ts';
import { noteUse } from '../used.ts';
import {
  dynamicConfiguration,
  rolesOf,
  type TemporalSettings,
  type TemporalStore,
  temporalConfiguration,
  temporalPaths,
} from './configuration.ts';
import { prepareTemporalDatabase } from './database.ts';
import { callHttpApi, type HttpApiClient } from './http-api.ts';
import { installTemporal, TEMPORAL_VERSION } from './install.ts';
import { lowPorts } from './low-ports.ts';
import { TokenIssuer } from './tokens.ts';

export interface StartTemporalOptions {
  /** The folder with the programs. Default: TEMPORAL_BINARIES, else the installed ones. */
  readonly binaries?: string;
  /** Where it keeps its data, prepared by `prepareTemporalDatabase`. Default: a PostgreSQL of its own. */
  readonly store?: TemporalStore;
  /** Besides what it needs itself: what the password command reads. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Authorities whose certificates clients may show, besides those of `authority`: those of a SPIFFE bundle, say. PEM. */
  readonly clientAuthorities?: readonly string[];
  /** Whether calls need a token besides the certificate. Default false. */
  readonly authorization?: boolean;
  /** Settings by name, for instance `frontend.keepAliveMaxConnectionAge`. */
  readonly dynamic?: Readonly<Record<string, string | number | boolean>>;
  readonly log?: (line: string) => void;
}

export interface TemporalServer extends AsyncDisposable {
  /** `127.0.0.1:<port>`, gRPC. Every client must show a certificate of `authority` or of `clientAuthorities`. */
  readonly address: string;
  /** Issues the certificates of clients, and has issued the server's. */
  readonly authority: CertificateAuthority;
  /** The namespace `default` exists. */
  readonly namespace: string;
  readonly pid: number | undefined;
  /** A call of the HTTP API by an administrator. @throws RealStackError `command_failed` with what it answers but success */
  call(method: 'GET' | 'POST', path: string, body?: object): Promise<unknown>;
  /** A token for calls; `permissions` as `default:write`. Of use with `authorization`. */
  issueToken(permissions: readonly string[], ttlSeconds: number): string;
  /** Idempotent. */
  stop(): Promise<void>;
}

const READY_LIMIT_MS = 120_000;
/** Two for clients, and two for each of at most five roles. */
const PORTS = 12;
const DAY_SECONDS = 24 * 3600;
const NAMESPACE = 'default';
const SECRET = { mode: 0o600 };
/** Long enough to be of no consequence. */
const OWN_CONNECTION_LIFE_MS = 3_600_000;

/**
 * Starts a real Temporal on free ports, on PostgreSQL: TLS with certificates of clients. It ends with this process, even
 * when this process is killed.
 */
export async function startTemporal(options: StartTemporalOptions = {}): Promise<TemporalServer> {
  const { authorization = false, dynamic = {}, environment = {}, log = () => {} } = options;
  const binaries = options.binaries ?? process.env.TEMPORAL_BINARIES ?? (await installTemporal());
  const folder = mkdtempSync(join(tmpdir(), 'temporal-'));
  let postgres: EmbeddedPostgres | undefined;
  try {
    if (options.store === undefined) postgres = await startPostgres();
    const store = options.store ?? (await ownStore(postgres as EmbeddedPostgres, binaries, folder));
    const [clients = 0, http = 0, ...roles] = await lowPorts(PORTS);
    const ports = { clients, http, roles };
    const { clientAuthorities = [] } = options;
    const settings: TemporalSettings = { folder, ports, store, authorization, dynamic, clientAuthorities };
    const authority = CertificateAuthority.create('temporal.test');
    const tokens = new TokenIssuer();
    const admin = writeFiles(settings, authority, tokens);
    const server = new GuardedProcess({
      name: 'Temporal',
      program: join(binaries, 'temporal-server'),
      args: [
        ...['--config-file', temporalPaths(folder).configuration, ...(authorization ? [] : ['--allow-no-auth'])],
        ...['start', ...rolesOf(settings).flatMap((role) => ['--service', role])],
      ],
      removeFolder: folder,
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: folder, ...environment },
      log,
      stopSignals: ['TERM', 'KILL'],
    });
    await server.ready(() => hasNamespace(admin), { limitMs: READY_LIMIT_MS });
    noteUse('temporal', TEMPORAL_VERSION);
    const stop = async (): Promise<void> => {
      await server.stop();
      await postgres?.stop();
    };
    return {
      address: `127.0.0.1:${ports.clients}`,
      authority,
      namespace: NAMESPACE,
      pid: server.pid,
      call: (method, path, body) => callOrFail(admin, method, path, body),
      issueToken: (permissions, ttlSeconds) => tokens.issue(permissions, ttlSeconds),
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await postgres?.stop();
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** The password lies in a file that only this user can read, and `cat` hands it over. */
async function ownStore(postgres: EmbeddedPostgres, binaries: string, folder: string): Promise<TemporalStore> {
  const { username, password } = await prepareTemporalDatabase(postgres, { binaries });
  const file = join(folder, 'password');
  writeFileSync(file, password.reveal(), SECRET);
  return {
    socketFolder: postgres.socketFolder,
    port: postgres.port,
    username,
    passwordCommand: { program: 'cat', args: [file] },
    maxConnectionLifeMs: OWN_CONNECTION_LIFE_MS,
  };
}

/** Writes what the server reads; gives back what an administrator calls it with. */
function writeFiles(settings: TemporalSettings, authority: CertificateAuthority, tokens: TokenIssuer): HttpApiClient {
  const paths = temporalPaths(settings.folder);
  const names = { ipAddresses: ['127.0.0.1'], dnsNames: ['localhost'], ttlSeconds: DAY_SECONDS };
  const { certificateChainPem: cert, privateKey } = authority.issueTlsCertificate(names);
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const ca = authority.certificatePem;
  writeFileSync(paths.ca, ca);
  writeFileSync(paths.clientAuthorities, settings.clientAuthorities.join(''));
  writeFileSync(paths.certificate, cert);
  writeFileSync(paths.key, key, SECRET);
  writeFileSync(paths.tokenKeys, tokens.keys);
  writeFileSync(paths.dynamic, dynamicConfiguration(settings));
  writeFileSync(paths.configuration, temporalConfiguration(settings), SECRET);
  const token = settings.authorization ? tokens.issue(['temporal-system:admin'], DAY_SECONDS) : undefined;
  return { port: settings.ports.http, ca, cert, key, token };
}

async function callOrFail(...call: Parameters<typeof callHttpApi>): Promise<unknown> {
  const [, method, path] = call;
  const answer = await callHttpApi(...call);
  if (answer?.status === 200) return JSON.parse(answer.text);
  const reason = answer === undefined ? 'no answer' : `${answer.status} ${answer.text}`;
  throw new RealStackError('command_failed', `${method} ${path}: ${reason}`);
}

/** Makes the namespace once the server takes it, and waits until what a client needs knows it. */
async function hasNamespace(admin: HttpApiClient): Promise<boolean> {
  const body = { namespace: NAMESPACE, workflowExecutionRetentionPeriod: `${DAY_SECONDS}s` };
  const made = await callHttpApi(admin, 'POST', '/api/v1/namespaces', body);
  // 409: made by an earlier call.
  if (made?.status !== 200 && made?.status !== 409) return false;
  const listed = await callHttpApi(admin, 'GET', `/api/v1/namespaces/${NAMESPACE}/workflows`);
  return listed?.status === 200;
}
