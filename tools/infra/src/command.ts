import { spawn } from 'node:child_process';
import { InfraError } from './infra-error.ts';

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** For standard input. Default: nothing. */
  readonly input?: string;
  readonly folder?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** What to do where the program is not there. */
  readonly missing?: string;
}

/** Runs a program to its end, whatever it ends with. @throws InfraError where it cannot be started */
export function runCommand(program: string, args: readonly string[], options: CommandOptions = {}): Promise<Outcome> {
  const { input = '', folder, env = process.env, missing } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], cwd: folder, env });
    const parts = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        parts[name] += text;
      });
    }
    child.once('error', (cause: NodeJS.ErrnoException) => {
      const absent = cause.code === 'ENOENT';
      const message = `${program} does not run: ${absent && missing !== undefined ? missing : cause.message}`;
      reject(new InfraError(absent ? 'tool_missing' : 'tool_failed', message, { cause }));
    });
    child.once('close', (code) => resolve({ code, ...parts }));
    // It may end before it has read everything.
    child.stdin.on('error', () => {}).end(input);
  });
}

/** As `runCommand`, and a failure of the program is an error. @throws InfraError `tool_failed` */
export async function runToEnd(
  program: string,
  args: readonly string[],
  options: CommandOptions & { readonly what: string },
): Promise<string> {
  const { code, stdout, stderr } = await runCommand(program, args, options);
  if (code === 0) return stdout;
  const lines = `${stdout}\n${stderr}`.trim().split('\n');
  const reason = lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? `exit ${code}`;
  throw new InfraError('tool_failed', `${options.what} failed: ${reason.trim()}`);
}
