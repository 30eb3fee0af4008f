import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { cacheFolder } from '../cache-folder.ts';
import { installed } from '../installation.ts';
import { RealStackError } from '../real-stack-error.ts';

export interface PythonEnvironment {
  /** Name and version of what is installed, for the reader. */
  readonly what: string;
  /** Folder in the cache. */
  readonly folder: string;
  /** The committed list: every package by version, with the hash of each wheel that may be installed. */
  readonly requirements: string;
  /** What the reader should expect, for instance `70 MB`. */
  readonly size: string;
  /** What cannot be done without it, for the reader who cannot install it. */
  readonly blocks?: string;
  /** Looks at the finished environment before anybody uses it. @throws RealStackError when it is of no use */
  readonly finish?: (folder: string) => void;
}

export interface PythonOptions {
  /** Receives one line about what takes long. Default: standard error. */
  readonly log?: (line: string) => void;
  /** Default: the user's cache. */
  readonly cache?: string;
  /** Default `python3`. */
  readonly python?: string;
}

/** The interpreter of an environment: `<folder>/bin/python3`. pip's own starter scripts name the folder it was made in. */
export function interpreterOf(folder: string): string {
  return join(folder, 'bin', 'python3');
}

/** The folder of an environment of its own, filled by pip when it is not in the cache yet. No package is compiled. */
export async function installPython(environment: PythonEnvironment, options: PythonOptions = {}): Promise<string> {
  const { log = (line) => process.stderr.write(`${line}\n`), cache = cacheFolder(), python = 'python3' } = options;
  const { folder, requirements, size, finish, blocks } = environment;
  const what = `Installing ${environment.what}`;
  const advice = blocks === undefined ? '' : ` (blocks ${blocks})`;
  return installed({
    what,
    folder: join(cache, folder),
    log,
    announcement: `${what} by pip, once (about ${size})…`,
    async fill(unfinished) {
      await run(python, ['-m', 'venv', unfinished], what, advice);
      const pip = ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--quiet'];
      const pinned = ['--require-hashes', '--only-binary', ':all:', '-r', requirements];
      await run(interpreterOf(unfinished), [...pip, ...pinned], what, advice);
      finish?.(unfinished);
    },
  });
}

async function run(program: string, args: readonly string[], what: string, advice: string): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = `${output}${chunk}`.slice(-20_000);
    });
  }
  await new Promise<void>((done, fail) => {
    child.once('error', (cause: NodeJS.ErrnoException) => {
      const missing = cause.code === 'ENOENT';
      const message = missing
        ? `${what} needs ${program}, which is not on PATH: install Python 3.9 or newer with venv and pip${advice}`
        : `${what} failed: ${cause.message}`;
      fail(new RealStackError(missing ? 'python_missing' : 'install_failed', message, { cause }));
    });
    child.once('close', (code) => {
      if (code === 0) return done();
      const noPip = /ensurepip is not available|No module named (pip|venv|ensurepip)/.test(output);
      const lines = output.trim().split('\n');
      const reason = lines.findLast((line) => /error/i.test(line)) ?? `exit ${code}`;
      const message = noPip
        ? `${what} needs Python's venv and pip: install them (Debian: python3-venv)${advice}`
        : `${what} failed: ${reason.trim()}`;
      fail(new RealStackError(noPip ? 'python_missing' : 'install_failed', message));
    });
  });
}
