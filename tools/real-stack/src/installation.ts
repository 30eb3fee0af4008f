import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './cache-folder.ts';
import { withInstallLock } from './install-lock.ts';
import { type ProgramFailure, runInstaller } from './run-installer.ts';

export interface Installation {
  /** What is done, for the reader. */
  readonly what: string;
  readonly folder: string;
  readonly log: (line: string) => void;
  readonly announcement: string;
  readonly fill: (folder: string) => Promise<void>;
}

export interface NpmFolder {
  /** Name and version of what is installed, for the reader. */
  readonly what: string;
  /** Folder in the cache, before the hash. */
  readonly name: string;
  /** The committed folder with `package.json` and `package-lock.json`. */
  readonly committed: string;
  /** What the reader should expect, for instance `262 MB`. */
  readonly size?: string;
}

const LOCKED = ['package.json', 'package-lock.json'];

/** The same files give the same hash; whoever changes a pin gets a folder of its own. */
export function filesHash(folder: string, files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${file}\0`).update(readFileSync(join(folder, file)));
  return hash.digest('hex').slice(0, 12);
}

/** Fills a folder once, also when several processes want it; a failure leaves nothing. */
export async function installed({ what, folder, log, announcement, fill }: Installation): Promise<string> {
  if (existsSync(folder)) return folder;
  const install = async (): Promise<string> => {
    if (existsSync(folder)) return folder;
    log(announcement);
    const unfinished = `${folder}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true });
    try {
      await fill(unfinished);
      renameSync(unfinished, folder);
    } finally {
      rmSync(unfinished, { recursive: true, force: true });
    }
    return folder;
  };
  return withInstallLock(`${folder}.lock`, install, {
    onWait: () => log(`${what} is under way in another process: waiting…`),
  });
}

/** A folder with `node_modules` of its own; npm refuses a package that is not the locked one, and runs no scripts. */
export function installNpmFolder(
  { what, name, committed, size }: NpmFolder,
  options: { readonly log?: (line: string) => void; readonly cache?: string } = {},
): Promise<string> {
  const { log = (line) => process.stderr.write(`${line}\n`), cache = cacheFolder() } = options;
  const installing = `Installing ${what}`;
  return installed({
    what: installing,
    folder: join(cache, `${name}-${filesHash(committed, LOCKED)}`),
    log,
    announcement: `${installing} by npm, once${size === undefined ? '' : ` (about ${size})`}…`,
    async fill(folder) {
      for (const file of LOCKED) copyFileSync(join(committed, file), join(folder, file));
      const missing: ProgramFailure = { code: 'npm_missing', advice: 'install npm' };
      const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
      await runInstaller('npm', ['ci', ...flags], { what: installing, missing, folder });
    },
  });
}
