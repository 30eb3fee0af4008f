import {
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileError, PostgresServerError } from '../errors.ts';
import { isAlive } from '../processes.ts';
import { barrierTo, type RunAs } from '../run-as.ts';

/** Where copies may lie: as root a place that every user can reach, else the user's cache. */
function candidates(user: RunAs): readonly string[] {
  if (user.switches) return ['/var/cache/neural-hive', '/var/tmp/neural-hive', '/tmp/neural-hive'];
  return [
    join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'neural-hive'),
    join(tmpdir(), `neural-hive-${user.uid}`),
  ];
}

/** A folder that nobody but this process's user can change, else an error: programs are run from it. */
function makeTrusted(folder: string, user: RunAs): void {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const stats = lstatSync(folder);
  if (!stats.isDirectory() || stats.uid !== process.getuid?.() || (stats.mode & 0o022) !== 0) {
    throw new PostgresServerError('folder_not_writable', `${folder} can be changed by another user: remove it`);
  }
  const barrier = barrierTo(join(folder, 'x'), user);
  if (barrier !== undefined) {
    throw new PostgresServerError('folder_unreachable', `${barrier} cannot be entered by user ${user.name}`);
  }
}

/** Leftovers of copies that were interrupted. */
function removeAbandoned(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = /^\.postgresql-.*\.(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

function copyOnce(packageFolder: string, staging: string, finish: (copy: string) => void): string {
  const { version } = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as { version: string };
  const copy = join(staging, `postgresql-${version}-${process.platform}-${process.arch}`);
  if (existsSync(copy)) return copy;
  removeAbandoned(staging);
  const unfinished = join(staging, `.postgresql-${version}.${process.pid}`);
  cpSync(join(packageFolder, 'native'), join(unfinished, 'native'), {
    recursive: true,
    mode: constants.COPYFILE_FICLONE,
    filter: (source) => !source.endsWith('.a') && !source.endsWith('/pkgconfig'),
  });
  finish(unfinished);
  try {
    // One step, so that no process ever sees half a copy.
    renameSync(unfinished, copy);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(copy)) throw error;
  }
  return copy;
}

/** Copies the package to a folder that the user can reach, once a version, and returns the copy. */
export function stagePackage(
  packageFolder: string,
  user: RunAs,
  stagingFolder: string | undefined,
  finish: (copy: string) => void,
): string {
  let last: unknown;
  for (const folder of stagingFolder === undefined ? candidates(user) : [stagingFolder]) {
    try {
      makeTrusted(folder, user);
      return copyOnce(packageFolder, folder, finish);
    } catch (error) {
      last = fileError(error, existsSync(folder) ? folder : dirname(folder));
    }
  }
  throw last;
}
