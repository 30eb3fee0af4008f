import { spawn } from 'node:child_process';
import { basename } from 'node:path';
import { RealStackError, type RealStackErrorCode } from './real-stack-error.ts';

export interface ProgramFailure {
  readonly code: RealStackErrorCode;
  /** What to do when the program is not there. */
  readonly advice: string;
}

/** Runs a program to its end and returns what it wrote. @throws RealStackError with one line */
export async function runInstaller(
  program: string,
  args: readonly string[],
  options: { readonly what: string; readonly missing: ProgramFailure; readonly folder?: string },
): Promise<string> {
  const { what, missing, folder } = options;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: folder });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = `${output}${chunk}`.slice(-20_000);
    });
  }
  await new Promise<void>((resolve, reject) => {
    child.once('error', (cause: NodeJS.ErrnoException) => {
      const absent = cause.code === 'ENOENT';
      const message = absent
        ? `${what} needs ${basename(program)}, which is not on PATH: ${missing.advice}`
        : `${what} failed: ${cause.message}`;
      reject(new RealStackError(absent ? missing.code : 'install_failed', message, { cause }));
    });
    child.once('close', (code) => {
      if (code === 0) return resolve();
      const reason = output.split('\n').find((line) => /error/i.test(line)) ?? `exit ${code}`;
      reject(new RealStackError('install_failed', `${what} failed: ${reason.trim()}`));
    });
  });
  return output;
}
