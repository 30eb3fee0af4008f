import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { GuardedProcess, SpireServerCommands } from '@neural-hive/real-stack';
import type { Configuration } from '../configuration.ts';
import { type ServerPlace, type Start, serverLog, serverSocket } from './relocation.ts';

export interface RealServerOptions {
  readonly name: string;
  /** The folder with the programs of SPIRE. */
  readonly binaries: string;
  readonly place: ServerPlace;
  readonly configuration: Configuration;
  readonly start: Start;
}

const READY_LIMIT_MS = 120_000;

/** One `spire-server` on this machine, in the place of a pod. */
export class RealServer {
  readonly name: string;
  readonly commands: SpireServerCommands;
  readonly #options: RealServerOptions;
  #process: GuardedProcess | undefined;

  constructor(options: RealServerOptions) {
    const { name, binaries, place } = options;
    this.name = name;
    this.#options = options;
    const program = join(binaries, 'spire-server');
    this.commands = new SpireServerCommands({ program, socket: serverSocket(place), folder: place.folder });
  }

  static configurationFile({ folder }: ServerPlace): string {
    return join(folder, 'server.conf');
  }

  /** Resolves when the readiness probe would. @throws RealStackError `start_failed` with what the log says */
  async start(): Promise<void> {
    const { binaries, configuration, place, start } = this.#options;
    mkdirSync(join(place.folder, 'data'), { recursive: true, mode: 0o700 });
    writeFileSync(RealServer.configurationFile(place), JSON.stringify(configuration, undefined, 2), { mode: 0o600 });
    const started = new GuardedProcess({
      name: this.name,
      program: join(binaries, 'spire-server'),
      args: start.args,
      env: { PATH: '/usr/bin:/bin', HOME: place.folder, ...start.env },
    });
    this.#process = started;
    await started.ready(() => this.answers('/ready'), { limitMs: READY_LIMIT_MS, reason: () => this.lastError() });
  }

  /** Whether the health listener says so at the path. */
  async answers(path: string): Promise<boolean> {
    return (await ask(this.#options.place.ports.health, path))?.status === 200;
  }

  /** What Prometheus would read. */
  async metrics(): Promise<string> {
    return (await ask(this.#options.place.ports.metrics, '/metrics'))?.body ?? '';
  }

  /** Certificates of the trust bundle. */
  async authorities(): Promise<readonly string[]> {
    const pem = await this.commands.bundle('pem');
    return [...pem.matchAll(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)].map(([text]) => text).sort();
  }

  lastError(): string | undefined {
    return lastErrorOf(serverLog(this.#options.place));
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    await this.#process?.stop();
  }
}

/** The last line of a log of SPIRE that complains, or that matches what is asked for. */
export function lastErrorOf(file: string, pattern = /"level":"(error|fatal)"/): string | undefined {
  if (!existsSync(file)) return undefined;
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.findLast((line) => pattern.test(line));
}

function ask(port: number, path: string): Promise<{ status: number; body: string } | undefined> {
  return new Promise((resolve) => {
    const outgoing = request({ host: '127.0.0.1', port, path, agent: false, timeout: 10_000 }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      answer.once('end', () => resolve({ status: answer.statusCode ?? 0, body }));
      answer.once('error', () => resolve(undefined));
    });
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => resolve(undefined));
    outgoing.end();
  });
}
