import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../free-port.ts';
import { GuardedProcess } from '../guarded-process.ts';
import { askJson } from '../https-json.ts';
import { writeLoopbackCertificate } from '../loopback-certificate.ts';
import { noteUse } from '../used.ts';
import { installEtcd } from './install.ts';

export interface StartEtcdOptions {
  /** The program. Default: ETCD_BINARY, else the installed one. */
  readonly binary?: string;
  readonly log?: (line: string) => void;
}

export interface EtcdServer extends AsyncDisposable {
  /** `https://127.0.0.1:<port>`; who has no certificate of the authority is refused. */
  readonly endpoint: string;
  readonly ca: string;
  readonly caFile: string;
  /** A client's certificate and key, in PEM files. */
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly version: string;
  readonly pid: number | undefined;
  /** Idempotent. */
  stop(): Promise<void>;
}

const READY_LIMIT_MS = 60_000;

/**
 * Starts an etcd of one member on free ports: mutual TLS with an authority of its own, its data in a private folder. It
 * ends with this process, even when this process is killed.
 */
export async function startEtcd(options: StartEtcdOptions = {}): Promise<EtcdServer> {
  const { log = () => {} } = options;
  const program = options.binary ?? process.env.ETCD_BINARY ?? (await installEtcd());
  const folder = mkdtempSync(join(tmpdir(), 'etcd-'));
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  const server = writeLoopbackCertificate(folder, { name: 'etcd.test' });
  const { ca, caFile, authority } = server;
  const client = writeLoopbackCertificate(folder, { name: 'etcd.test', authority, prefix: 'client-' });
  const endpoint = `https://127.0.0.1:${await freePort()}`;
  const peer = `https://127.0.0.1:${await freePort()}`;
  const tls = (prefix: string): string[] => [
    `--${prefix}cert-file=${server.certificateFile}`,
    `--${prefix}key-file=${server.keyFile}`,
    `--${prefix}trusted-ca-file=${caFile}`,
    `--${prefix}client-cert-auth`,
  ];
  const member = new GuardedProcess({
    name: 'etcd',
    program,
    args: [
      '--name=one',
      `--data-dir=${data}`,
      `--listen-client-urls=${endpoint}`,
      `--advertise-client-urls=${endpoint}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=one=${peer}`,
      ...tls(''),
      ...tls('peer-'),
      // Its data does not outlive it.
      '--unsafe-no-fsync',
      '--log-level=warn',
    ],
    removeFolder: folder,
    env: { PATH: '/usr/bin:/bin', HOME: folder },
    log,
    stopSignals: ['TERM', 'KILL'],
  });
  const ask = (path: string) =>
    askJson(`${endpoint}${path}`, { ca, identity: client, timeoutMs: 5_000 }).catch(() => undefined);
  const isReady = async (): Promise<boolean> => (await ask('/health'))?.status === 200;
  await member.ready(isReady, { limitMs: READY_LIMIT_MS });
  const { etcdserver = '' } = ((await ask('/version'))?.json ?? {}) as { etcdserver?: string };
  noteUse('etcd', etcdserver);
  const stop = (): Promise<void> => member.stop();
  const { certificateFile, keyFile } = client;
  const files = { ca, caFile, certificateFile, keyFile };
  return { endpoint, ...files, version: etcdserver, pid: member.pid, stop, [Symbol.asyncDispose]: stop };
}
