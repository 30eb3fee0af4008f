import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { messageOf } from '@neural-hive/security/common';
import { cacheFolder } from '../cache-folder.ts';
import { withInstallLock } from '../install-lock.ts';
import { RealStackError } from '../real-stack-error.ts';

/** The major version; Debian and Ubuntu keep the rest up to date. */
export const REDIS_VERSION = '7';

/** The program is a link of `redis-server` to one of `redis-tools`; the others are what that needs besides the base. */
const PACKAGES = ['redis-server', 'redis-tools', 'libatomic1', 'libjemalloc2', 'liblzf1'];

export interface InstallRedisOptions {
  /** Receives one line about what takes long. Default: standard error. */
  readonly log?: (line: string) => void;
  /** Default: the user's cache. */
  readonly cache?: string;
  /** Folders in which a program is looked for first. Default: PATH. */
  readonly path?: string;
  /** Default `apt-get`. */
  readonly apt?: string;
}

/** The environment of a program that was unpacked instead of installed: its libraries are beside it. */
export function redisEnvironment(program: string): NodeJS.ProcessEnv {
  const env = { PATH: '/usr/bin:/bin' };
  const lib = join(dirname(program), '..', 'lib');
  if (dirname(program).startsWith('/usr/') || !existsSync(lib)) return env;
  const folders = readdirSync(lib).map((name) => join(lib, name));
  return { ...env, LD_LIBRARY_PATH: folders.join(delimiter) };
}

/** The version a program says it is; undefined when it does not run. */
async function versionOf(program: string): Promise<string | undefined> {
  try {
    return /\bv=(\S+)/.exec(await run(program, ['--version'], { env: redisEnvironment(program) }))?.[1];
  } catch {
    return undefined;
  }
}

function isRightMajor(version: string | undefined): boolean {
  return version?.split('.')[0] === REDIS_VERSION;
}

function run(program: string, args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv }) {
  return new Promise<string>((resolve, reject) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      // The last line of what it complains about says more than "command failed".
      const said = stderr.split('\n').findLast((line) => line.startsWith('E:'));
      reject(said === undefined ? error : new Error(said.slice(2).trim(), { cause: error }));
    });
  });
}

/**
 * The path of a `redis-server` of the pinned major version: one on PATH, else Debian's, fetched by apt and unpacked into
 * the cache. Needs no root and changes nothing in the system; apt checks signatures as always.
 * @throws RealStackError `install_failed` with one line that says what to install
 */
export async function installRedis(options: InstallRedisOptions = {}): Promise<string> {
  const { log = (line) => process.stderr.write(`${line}\n`), cache = cacheFolder() } = options;
  const { path = process.env.PATH ?? '', apt = 'apt-get' } = options;
  for (const folder of path.split(delimiter)) {
    const program = join(folder, 'redis-server');
    if (existsSync(program) && isRightMajor(await versionOf(program))) return program;
  }
  const final = join(cache, `redis-${REDIS_VERSION}`);
  const program = join(final, 'usr', 'bin', 'redis-server');
  if (existsSync(program)) return program;
  const what = `Installing Redis ${REDIS_VERSION}`;
  const install = async (): Promise<string> => {
    if (existsSync(program)) return program;
    log(`${what} by apt, once (about 2 MB)…`);
    const unfinished = `${final}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(join(unfinished, 'packages'), { recursive: true });
    try {
      await fetchPackages(apt, unfinished);
      const found = await versionOf(join(unfinished, 'usr', 'bin', 'redis-server'));
      if (!isRightMajor(found)) throw new Error(`this system's packages have version ${found ?? 'unknown'}`);
      rmSync(join(unfinished, 'packages'), { recursive: true });
      renameSync(unfinished, final);
    } catch (cause) {
      const message = `${what} failed (${messageOf(cause)}): put a redis-server ${REDIS_VERSION} on PATH`;
      throw new RealStackError('install_failed', message, { cause });
    } finally {
      rmSync(unfinished, { recursive: true, force: true });
    }
    return program;
  };
  return withInstallLock(`${final}.lock`, install, {
    onWait: () => log(`${what} is under way in another process: waiting…`),
  });
}

async function fetchPackages(apt: string, folder: string): Promise<void> {
  const packages = join(folder, 'packages');
  try {
    await run(apt, ['download', ...PACKAGES], { cwd: packages });
  } catch {
    // A fresh image has no lists, or old ones: lists of our own need no root.
    const lists = join(packages, 'lists');
    mkdirSync(join(lists, 'partial'), { recursive: true });
    const own = ['-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${packages}`, '-o', 'APT::Sandbox::User='];
    await run(apt, ['update', ...own], { cwd: packages });
    await run(apt, ['download', ...own, ...PACKAGES], { cwd: packages });
  }
  for (const name of readdirSync(packages)) {
    if (name.endsWith('.deb')) await run('dpkg-deb', ['-x', join(packages, name), folder], {});
  }
}
