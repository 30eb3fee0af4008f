import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { Secret } from '@neural-hive/security/common';
import { CertificateAuthority } from '@neural-hive/security/testing';
import { freePort } from '../free-port.ts';
import { GuardedProcess } from '../guarded-process.ts';
import { noteUse } from '../used.ts';
import { FERRETDB_VERSION, installFerretDb } from './install.ts';

export interface StartFerretDbOptions {
  /** The program. Default: FERRETDB_BINARY, else the installed one. */
  readonly binary?: string;
  readonly log?: (line: string) => void;
}

export interface FerretDbServer extends AsyncDisposable {
  /** `mongodb://127.0.0.1:<port>/?tls=true&tlsCAFile=…&authSource=admin`, without a login. */
  readonly uri: string;
  readonly caFile: string;
  readonly username: string;
  readonly password: Secret<string>;
  /** Where the databases are; deleted when it ends. */
  readonly folder: string;
  readonly pid: number | undefined;
  /** Idempotent. */
  stop(): Promise<void>;
}

const READY_LIMIT_MS = 30_000;
const USERNAME = 'root';

/**
 * Starts a real FerretDB on a free port: TLS only, SCRAM-SHA-256, its data in a private folder. It ends with this
 * process, even when this process is killed. Its authentication is what 1.24 calls experimental: every user may do everything.
 */
export async function startFerretDb(options: StartFerretDbOptions = {}): Promise<FerretDbServer> {
  const { log = () => {} } = options;
  const binary = options.binary ?? process.env.FERRETDB_BINARY ?? (await installFerretDb());
  const folder = mkdtempSync(join(tmpdir(), 'ferretdb-'));
  const paths = { ca: join(folder, 'ca.pem'), certificate: join(folder, 'tls.pem'), key: join(folder, 'tls-key.pem') };
  const data = join(folder, 'data');
  const port = await freePort();
  const password = new Secret(randomBytes(18).toString('base64url'));
  const ca = issueCertificate(paths);
  mkdirSync(data, { mode: 0o700 });
  const server = new GuardedProcess({
    name: 'FerretDB',
    program: binary,
    args: [
      '--handler=sqlite',
      `--sqlite-url=file:${data}/`,
      `--state-dir=${folder}`,
      '--listen-addr=',
      `--listen-tls=127.0.0.1:${port}`,
      `--listen-tls-cert-file=${paths.certificate}`,
      `--listen-tls-key-file=${paths.key}`,
      '--debug-addr=-',
      '--telemetry=disable',
      '--test-enable-new-auth',
      '--setup-database=admin',
      `--setup-username=${USERNAME}`,
    ],
    removeFolder: folder,
    // By the environment: command lines are visible to everybody.
    env: { PATH: '/usr/bin:/bin', HOME: folder, FERRETDB_SETUP_PASSWORD: password.reveal() },
    log,
  });
  // It listens once its handler, and the first user with it, is set up.
  await server.ready(() => greets(port, ca), { limitMs: READY_LIMIT_MS });
  const { pid } = server;
  noteUse('ferretdb', FERRETDB_VERSION);
  const uri = `mongodb://127.0.0.1:${port}/?tls=true&tlsCAFile=${encodeURIComponent(paths.ca)}&authSource=admin`;
  const stop = (): Promise<void> => server.stop();
  return { uri, caFile: paths.ca, username: USERNAME, password, folder, pid, stop, [Symbol.asyncDispose]: stop };
}

/** Writes a certificate for the loopback address; returns its authority. */
function issueCertificate(paths: { readonly ca: string; readonly certificate: string; readonly key: string }): string {
  const authority = CertificateAuthority.create('ferretdb.test');
  const { certificateChainPem, privateKey } = authority.issueTlsCertificate({
    ipAddresses: ['127.0.0.1'],
    dnsNames: ['localhost'],
    ttlSeconds: 24 * 3600,
  });
  const { chainPem } = authority.export();
  writeFileSync(paths.ca, chainPem);
  writeFileSync(paths.certificate, certificateChainPem);
  writeFileSync(paths.key, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return chainPem;
}

function greets(port: number, ca: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, ca, timeout: 2_000 });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('secureConnect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.once('error', () => end(false));
  });
}
