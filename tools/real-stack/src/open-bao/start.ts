import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '@neural-hive/security/common';
import { freePort } from '../free-port.ts';
import { GuardedProcess } from '../guarded-process.ts';
import { noteUse } from '../used.ts';
import { installOpenBao } from './install.ts';

export interface StartOpenBaoOptions {
  /** Always over TLS; named so that callers say what they rely on. */
  readonly tls?: true;
  /** The program. Default: BAO_BINARY, else the installed one. */
  readonly binary?: string;
  readonly log?: (line: string) => void;
}

export interface OpenBaoServer extends AsyncDisposable {
  /** `https://127.0.0.1:<port>` */
  readonly address: string;
  readonly caFile: string;
  readonly rootToken: Secret<string>;
  readonly version: string;
  readonly pid: number | undefined;
  /** Idempotent. */
  stop(): Promise<void>;
}

const READY_LIMIT_MS = 20_000;

interface Health {
  readonly initialized?: boolean;
  readonly sealed?: boolean;
  readonly version?: string;
}

function health(address: string, ca: Buffer): Promise<Health | undefined> {
  return new Promise((resolve) => {
    const outgoing = request(`${address}/v1/sys/health`, { ca, agent: false, timeout: 2_000 }, (answer) => {
      let body = '';
      answer.on('data', (chunk: Buffer) => {
        body += chunk;
      });
      answer.on('end', () => resolve(answer.statusCode === 200 ? (JSON.parse(body) as Health) : undefined));
    });
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => resolve(undefined));
    outgoing.end();
  });
}

/**
 * Starts a real OpenBao in memory on a free port, unsealed, with KV v2 at `secret/`. It ends with this process, even
 * when this process is killed.
 */
export async function startOpenBao(options: StartOpenBaoOptions = {}): Promise<OpenBaoServer> {
  const { log = () => {} } = options;
  const binary = options.binary ?? process.env.BAO_BINARY ?? (await installOpenBao());
  const folder = mkdtempSync(join(tmpdir(), 'bao-'));
  const port = await freePort();
  const address = `https://127.0.0.1:${port}`;
  const caFile = join(folder, 'vault-ca.pem');
  const rootToken = new Secret(`root-${randomBytes(18).toString('base64url')}`);
  const args = ['server', '-dev', '-dev-no-store-token', '-dev-tls', `-dev-tls-cert-dir=${folder}`];
  const server = new GuardedProcess({
    name: 'OpenBao',
    program: binary,
    args: [...args, `-dev-listen-address=127.0.0.1:${port}`],
    removeFolder: folder,
    // By the environment: command lines are visible to everybody.
    env: { PATH: '/usr/bin:/bin', HOME: folder, BAO_DEV_ROOT_TOKEN_ID: rootToken.reveal() },
    log,
  });
  let found: Health | undefined;
  await server.ready(
    async () => {
      found = existsSync(caFile) ? await health(address, readFileSync(caFile)) : undefined;
      return found?.initialized === true && found.sealed === false;
    },
    { limitMs: READY_LIMIT_MS },
  );
  const { pid } = server;
  const version = found?.version ?? '';
  noteUse('openbao', version);
  const stop = (): Promise<void> => server.stop();
  return { address, caFile, rootToken, version, pid, stop, [Symbol.asyncDispose]: stop };
}
