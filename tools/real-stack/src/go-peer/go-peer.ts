import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { RealStackError } from '../real-stack-error.ts';
import { installGoPeer } from './install.ts';

export interface GoPeerOptions {
  /** The Workload API: `unix:///…` */
  readonly endpoint: string;
  /** The one SPIFFE ID that the peer accepts at the other end. */
  readonly authorize: string;
  /** Default: GO_PEER_BINARY, else the installed one. */
  readonly binary?: string;
}

export interface GoPeerServer extends AsyncDisposable {
  readonly port: number;
  /** The SPIFFE ID of the peer. */
  readonly id: string;
  /** What the peer said since, one object a connection. */
  readonly reports: readonly Readonly<Record<string, unknown>>[];
  /** Idempotent. */
  stop(): Promise<void>;
}

type Report = Readonly<Record<string, unknown>>;

function failure(command: string, stderr: string): RealStackError {
  return new RealStackError('command_failed', `go-peer ${command}: ${stderr.trim().split('\n').at(-1) ?? 'no output'}`);
}

async function start(command: string, options: GoPeerOptions, args: readonly string[]): Promise<ChildProcess> {
  const binary = options.binary ?? process.env.GO_PEER_BINARY ?? (await installGoPeer());
  const common = ['-socket', options.endpoint, '-authorize', options.authorize];
  return spawn(binary, [command, ...common, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
}

/** A server of the peer; it ends with this process, since its standard input does. */
export async function startGoPeer(command: 'serve' | 'serve-grpc', options: GoPeerOptions): Promise<GoPeerServer> {
  const child = await start(command, options, []);
  const reports: Report[] = [];
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const first = await new Promise<Report>((resolve, reject) => {
    void exited.then(() => reject(failure(command, stderr)));
    child.once('error', reject);
    if (child.stdout === null) return;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const said = JSON.parse(line) as Report;
      if ('port' in said) resolve(said);
      else reports.push(said);
    });
  });
  const stop = async (): Promise<void> => {
    child.stdin?.end();
    await exited;
  };
  return { port: Number(first.port), id: String(first.id), reports, stop, [Symbol.asyncDispose]: stop };
}

/** Lets the peer do one thing and resolves with its report. @throws RealStackError `command_failed` with its reason */
export async function runGoPeer(
  command: 'dial' | 'dial-grpc' | 'verify-jwt',
  options: GoPeerOptions & { readonly port?: number; readonly audience?: string; readonly input?: string },
): Promise<Report> {
  const { port, audience, input = '' } = options;
  const child = await start(command, options, [
    ...(port === undefined ? [] : ['-address', `127.0.0.1:${port}`]),
    ...(audience === undefined ? [] : ['-audience', audience]),
  ]);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  child.stdin?.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw failure(command, stderr);
  return JSON.parse(stdout) as Report;
}
