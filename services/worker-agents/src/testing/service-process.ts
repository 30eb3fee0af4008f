import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface ServiceProcess {
  readonly child: ChildProcess;
  /** What the service said when it was ready. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** Everything that it has logged. */
  log(): string;
  /** Resolves with the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts the built `main.js` of a service, with this environment and nothing else. */
export async function startService(
  name: string,
  env: Readonly<Record<string, string>>,
  options: { uid?: number | undefined; cwd?: string } = {},
): Promise<ServiceProcess> {
  const main = fileURLToPath(new URL(`../../../${name}/dist/main.js`, import.meta.url));
  const { uid, cwd = '/' } = options;
  const child = spawn(process.execPath, [main], {
    env: { ...env, ENVIRONMENT: 'development' },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  let logged = '';
  child.stderr.on('data', (chunk: Buffer) => {
    logged += chunk.toString();
  });
  const ready = await new Promise<Record<string, unknown>>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{"ready":')) resolve(JSON.parse(line) as Record<string, unknown>);
      else logged += `${line}\n`;
    });
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}: ${logged}`)));
  });
  return {
    child,
    ready,
    log: () => logged,
    stop: async (signal = 'SIGTERM') => {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const exited = once(child, 'exit') as Promise<[number | null]>;
      child.kill(signal);
      return (await exited)[0];
    },
  };
}
