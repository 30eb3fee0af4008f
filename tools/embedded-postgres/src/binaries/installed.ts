import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import type { RunAs } from '../run-as.ts';
import { canUseFolder } from '../run-as.ts';
import { type Binaries, type BinarySource, OLDEST_MAJOR } from './binaries.ts';

const DEBIAN_ROOT = '/usr/lib/postgresql';

/** What `postgres --version` of the folder says, or undefined when it cannot be run. */
export function versionOf(folder: string): { version: string; majorVersion: number } | undefined {
  const { stdout, status } = spawnSync(join(folder, 'postgres'), ['--version'], { encoding: 'utf8', timeout: 10_000 });
  const version = status === 0 ? /\(PostgreSQL\) (\d+)(?:\S*)/.exec(stdout) : null;
  if (version?.[1] === undefined) return undefined;
  return { version: version[0].slice('(PostgreSQL) '.length), majorVersion: Number(version[1]) };
}

/** The folder as binaries when it holds a whole server of a supported version that the user can run. */
function usable(source: BinarySource, folder: string, user: RunAs): Binaries | undefined {
  if (!existsSync(join(folder, 'postgres')) || !existsSync(join(folder, 'initdb'))) return undefined;
  if (!canUseFolder(realpathSync(folder), user)) return undefined;
  const version = versionOf(folder);
  return version !== undefined && version.majorVersion >= OLDEST_MAJOR ? { source, folder, ...version } : undefined;
}

/** The first server of a supported version on PATH. */
export function binariesOnPath(user: RunAs, path = process.env.PATH ?? ''): Binaries | undefined {
  for (const folder of path.split(delimiter)) {
    if (!folder.startsWith('/') || !existsSync(join(folder, 'postgres'))) continue;
    const real = dirname(realpathSync(join(folder, 'postgres')));
    const found = usable('path', real, user) ?? usable('path', folder, user);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The newest supported server among Debian's packages, which are not on PATH. */
export function binariesOfDebian(user: RunAs, root = DEBIAN_ROOT): Binaries | undefined {
  if (!existsSync(root)) return undefined;
  const majors = readdirSync(root)
    .filter((name) => /^\d+$/.test(name) && Number(name) >= OLDEST_MAJOR)
    .sort((a, b) => Number(b) - Number(a));
  for (const major of majors) {
    const found = usable('debian', join(root, major, 'bin'), user);
    if (found !== undefined) return found;
  }
  return undefined;
}
