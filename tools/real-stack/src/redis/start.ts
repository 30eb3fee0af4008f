import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { Secret } from '@neural-hive/security/common';
import { freePort } from '../free-port.ts';
import { GuardedProcess } from '../guarded-process.ts';
import { noteUse } from '../used.ts';
import { writeRedisFiles } from './configuration.ts';
import { installRedis, redisEnvironment } from './install.ts';

export interface StartRedisOptions {
  /** The program. Default: REDIS_BINARY, else the installed one. */
  readonly binary?: string;
  readonly log?: (line: string) => void;
}

export interface RedisServer extends AsyncDisposable {
  /** `127.0.0.1` */
  readonly host: string;
  /** TLS only; there is no other port. */
  readonly port: number;
  readonly caFile: string;
  /** May do everything; every other user is yours to make. The user `default` is off. */
  readonly admin: { readonly username: string; readonly password: Secret<string> };
  readonly version: string;
  readonly pid: number | undefined;
  /** Idempotent. */
  stop(): Promise<void>;
}

const READY_LIMIT_MS = 20_000;
const ANSWER_LIMIT_MS = 2_000;
const HOST = '127.0.0.1';

interface Asked {
  readonly port: number;
  readonly ca: Buffer;
  readonly login: RedisServer['admin'];
}

/** Logs in over TLS and asks for the version; undefined while the server is not ready. */
function askVersion({ port, ca, login }: Asked): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: HOST, port, ca });
    let text = '';
    const end = (version?: string): void => {
      socket.destroy();
      resolve(version);
    };
    socket.setTimeout(ANSWER_LIMIT_MS, () => end());
    socket.once('error', () => end());
    socket.once('close', () => end());
    socket.on('data', (chunk: Buffer) => {
      text += chunk;
      const version = /^redis_version:(\S+)\r$/m.exec(text)?.[1];
      if (version !== undefined || text.startsWith('-')) end(version);
    });
    socket.write(`AUTH ${login.username} ${login.password.reveal()}\r\nINFO server\r\n`);
  });
}

/**
 * Starts a real Redis in memory on a free port: TLS only, with a CA, an administrator and a password of its own. It ends
 * with this process, even when this process is killed.
 */
export async function startRedis(options: StartRedisOptions = {}): Promise<RedisServer> {
  const { log = () => {} } = options;
  const program = options.binary ?? process.env.REDIS_BINARY ?? (await installRedis());
  const folder = mkdtempSync(join(tmpdir(), 'redis-'));
  const port = await freePort();
  const admin = { username: 'admin', password: new Secret(randomBytes(24).toString('base64url')) };
  const { configFile, caFile } = writeRedisFiles(folder, { port, ...admin });
  const ca = readFileSync(caFile);
  const server = new GuardedProcess({
    name: 'Redis',
    program,
    args: [configFile],
    removeFolder: folder,
    env: { ...redisEnvironment(program), HOME: folder },
    log,
  });
  let version: string | undefined;
  const isReady = async (): Promise<boolean> => {
    version = await askVersion({ port, ca, login: admin });
    return version !== undefined;
  };
  await server.ready(isReady, { limitMs: READY_LIMIT_MS });
  const { pid } = server;
  noteUse('redis', version ?? '');
  const stop = (): Promise<void> => server.stop();
  return { host: HOST, port, caFile, admin, version: version ?? '', pid, stop, [Symbol.asyncDispose]: stop };
}
