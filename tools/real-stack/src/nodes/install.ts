import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cacheFolder } from '../cache-folder.ts';
import { withInstallLock } from '../install-lock.ts';
import { RealStackError } from '../real-stack-error.ts';

/** Committed: the versions, and the hash of every package that may be installed. */
const SOURCES = resolve(import.meta.dirname, '..', '..', 'nodes');
const FILES = ['package.json', 'package-lock.json'] as const;

/** The lines of Node that have a pinned version, the oldest first. */
export const NODE_LINES = ['22', '24', '26'] as const;

export interface InstallNodesOptions {
  /** Receives one line about what takes long. Default: standard error. */
  readonly log?: (line: string) => void;
  /** Default: the user's cache. */
  readonly cache?: string;
  /** Default `npm`. */
  readonly npm?: string;
}

/** The pinned version of a line, such as `24.1.0`, for this machine; undefined when npm has none for it. */
export function pinnedNode(line: string): string | undefined {
  const { packages } = JSON.parse(readFileSync(join(SOURCES, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { readonly version: string }>;
  };
  return packages[`node_modules/${folderOf(line)}`]?.version;
}

/**
 * The program of every pinned Node, by its line. npm refuses a package whose hash is not in the committed lock, and runs
 * no script of it.
 * @throws RealStackError `install_failed`
 */
export async function installNodes(options: InstallNodesOptions = {}): Promise<Readonly<Record<string, string>>> {
  const { log = (line) => process.stderr.write(`${line}\n`), cache = cacheFolder(), npm = 'npm' } = options;
  const final = join(cache, `nodes-${lockHash()}`);
  if (existsSync(final)) return programsIn(final);
  const what = `Installing Node ${NODE_LINES.join(', ')}`;
  const install = async (): Promise<void> => {
    if (existsSync(final)) return;
    log(`${what} by npm, once (about 400 MB)…`);
    const unfinished = `${final}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true });
    for (const file of FILES) copyFileSync(join(SOURCES, file), join(unfinished, file));
    await runNpm(npm, unfinished, what);
    programsIn(unfinished);
    renameSync(unfinished, final);
  };
  await withInstallLock(`${final}.lock`, install, {
    onWait: () => log(`${what} is under way in another process: waiting…`),
  });
  return programsIn(final);
}

function lockHash(): string {
  const hash = createHash('sha256');
  for (const file of FILES) hash.update(readFileSync(join(SOURCES, file)));
  return hash.digest('hex').slice(0, 16);
}

function folderOf(line: string): string {
  return `node-${line}-${process.platform}-${process.arch}`;
}

function programsIn(folder: string): Record<string, string> {
  return Object.fromEntries(
    NODE_LINES.map((line) => {
      const program = join(folder, 'node_modules', folderOf(line), 'bin', 'node');
      if (existsSync(program)) return [line, program];
      const machine = `${process.platform} on ${process.arch}`;
      throw new RealStackError(
        'install_failed',
        `No Node ${line} for ${machine} came from npm: use Linux on x64 or arm64`,
      );
    }),
  );
}

async function runNpm(npm: string, cwd: string, what: string): Promise<void> {
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
  const child = spawn(npm, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk;
    });
  }
  const failure = await new Promise<string | undefined>((done) => {
    child.once('error', ({ message }) => done(message));
    child.once('close', (code) => {
      const line = output.split('\n').find((text) => /npm error/i.test(text));
      done(code === 0 ? undefined : (line ?? `exit ${code}`));
    });
  });
  if (failure !== undefined) throw new RealStackError('install_failed', `${what} failed: ${failure.trim()}`);
}
