import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { cacheFolder } from '../cache-folder.ts';
import { withInstallLock } from '../install-lock.ts';
import { RealStackError } from '../real-stack-error.ts';

export interface GoBuild {
  /** Name and version of what is built, for the reader. */
  readonly what: string;
  /** Folder in the cache, before the hash. */
  readonly name: string;
  /** The committed Go module: its `go.mod` and `go.sum` pin every dependency by version and hash. */
  readonly module: string;
  /** Further files of the module that decide what is built, relative to it. */
  readonly sources?: readonly string[];
  /**
   * Files that a module's own release process would have made: path below `vendor/` and content. With them the build
   * uses a copy of the modules, checked against `go.sum` when it is made.
   */
  readonly vendorFiles?: Readonly<Record<string, string>>;
  /** Package path to build and name of the program it makes, in this order. */
  readonly programs: Readonly<Record<string, string>>;
  /** Whether a C compiler is needed. */
  readonly cgo?: boolean;
  /** Variables of the program that its release process sets at link time: qualified name and value. */
  readonly variables?: Readonly<Record<string, string>>;
  /** What cannot be done without it, for the reader who cannot build it. */
  readonly blocks?: string;
}

export interface GoBuildOptions {
  /** Receives one line about what takes long. Default: standard error. */
  readonly log?: (line: string) => void;
  /** Default: the user's cache. */
  readonly cache?: string;
  /** Default `go`. */
  readonly go?: string;
}

/** Between two lines about a build that goes on. */
const PROGRESS_MS = 60_000;

/** The same module gives the same hash; whoever changes a pin gets a folder of its own. */
export function lockHash({ module, sources = [], vendorFiles = {}, variables = {} }: GoBuild): string {
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum', ...sources])
    hash.update(`${file}\0`).update(readFileSync(join(module, file)));
  for (const [name, value] of Object.entries({ ...vendorFiles, ...variables })) hash.update(`${name}\0`).update(value);
  return hash.digest('hex').slice(0, 12);
}

/** The folder that holds the programs, built when it is not in the cache yet. One build runs at a time. */
export async function buildGo(build: GoBuild, options: GoBuildOptions = {}): Promise<string> {
  const { log = (line) => process.stderr.write(`${line}\n`), cache = cacheFolder(), go = 'go' } = options;
  const { what, programs } = build;
  const final = join(cache, `${build.name}-${lockHash(build)}`);
  const complete = (): boolean => Object.values(programs).every((program) => existsSync(join(final, program)));
  if (complete()) return final;
  const make = async (): Promise<string> => {
    if (complete()) return final;
    const unfinished = `${final}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true });
    try {
      await buildPrograms(build, unfinished, { log, go });
      rmSync(final, { recursive: true, force: true });
      renameSync(unfinished, final);
    } finally {
      rmSync(unfinished, { recursive: true, force: true });
    }
    return final;
  };
  return withInstallLock(`${final}.lock`, make, {
    onWait: () => log(`${what} is being built by another process: waiting…`),
  });
}

async function buildPrograms(
  build: GoBuild,
  folder: string,
  { log, go }: { log: (line: string) => void; go: string },
): Promise<void> {
  const { what, programs } = build;
  const count = Object.keys(programs).length;
  const vendored = join(folder, 'module');
  const cwd = build.vendorFiles === undefined ? build.module : await vendorModule(build, vendored, go);
  const variables = Object.entries(build.variables ?? {}).map(([variable, value]) => ` -X ${variable}=${value}`);
  const flags = ['-trimpath', '-buildvcs=false', `-ldflags=-s -w${variables.join('')}`];
  for (const [index, [path, program]] of Object.entries(programs).entries()) {
    const step = `${what}: ${program} (${index + 1} of ${count})`;
    log(`Building ${step}, once…`);
    const startMs = performance.now();
    const seconds = (): number => Math.round((performance.now() - startMs) / 1000);
    const timer = setInterval(() => log(`Still building ${step}, ${seconds()} s`), PROGRESS_MS);
    try {
      const output = join(folder, program);
      await runGo(go, ['build', ...flags, '-o', output, path], build, cwd);
    } finally {
      clearInterval(timer);
    }
    log(`Built ${step} in ${seconds()} s`);
  }
  rmSync(vendored, { recursive: true, force: true });
}

/** A copy of the module with what it needs below `vendor/`, and the files that were missing there. */
async function vendorModule(build: GoBuild, folder: string, go: string): Promise<string> {
  mkdirSync(folder);
  for (const file of ['go.mod', 'go.sum', ...(build.sources ?? [])]) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    copyFileSync(join(build.module, file), join(folder, file));
  }
  await runGo(go, ['mod', 'vendor', '-o', join(folder, 'vendor')], build, folder);
  for (const [file, content] of Object.entries(build.vendorFiles ?? {})) {
    mkdirSync(dirname(join(folder, 'vendor', file)), { recursive: true });
    writeFileSync(join(folder, 'vendor', file), content);
  }
  return folder;
}

async function runGo(go: string, args: readonly string[], build: GoBuild, cwd: string): Promise<void> {
  const { what, vendorFiles, cgo = false } = build;
  const mode = vendorFiles !== undefined && args[0] === 'build' ? 'vendor' : 'readonly';
  const child = spawn(go, args, {
    cwd,
    stdio: ['ignore', 'ignore', 'pipe'],
    // The committed lock decides, whatever the user's settings are.
    env: { ...process.env, GOFLAGS: `-mod=${mode}`, GOWORK: 'off', CGO_ENABLED: cgo ? '1' : '0' },
  });
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => {
    output = `${output}${chunk}`.slice(-20_000);
  });
  await new Promise<void>((resolve, reject) => {
    child.once('error', (cause: NodeJS.ErrnoException) => {
      const missing = cause.code === 'ENOENT';
      const message = missing
        ? `Building ${what} needs ${basename(go)}, which is not on PATH: install Go 1.26 or newer${blocked(build)}`
        : `Building ${what} failed: ${cause.message}`;
      reject(new RealStackError(missing ? 'go_missing' : 'install_failed', message, { cause }));
    });
    child.once('close', (code) => (code === 0 ? resolve() : reject(failure(build, output, code))));
  });
}

function blocked({ blocks }: GoBuild): string {
  return blocks === undefined ? '' : ` (blocks ${blocks})`;
}

function failure(build: GoBuild, output: string, code: number | null): RealStackError {
  const { what } = build;
  const old = /requires go >= (\S+)/.exec(output)?.[1];
  if (old !== undefined) {
    return new RealStackError('go_missing', `Building ${what} needs Go ${old} or newer: install it${blocked(build)}`);
  }
  if (/C compiler .* not found/.test(output)) {
    return new RealStackError('install_failed', `Building ${what} needs a C compiler: install gcc${blocked(build)}`);
  }
  const lines = output.trim().split('\n');
  // Package headings and downloads say nothing about what went wrong.
  const reason = lines.findLast((line) => line !== '' && !/^(#|go: downloading)/.test(line)) ?? `exit ${code}`;
  return new RealStackError('install_failed', `Building ${what} failed: ${reason.trim()}`);
}
