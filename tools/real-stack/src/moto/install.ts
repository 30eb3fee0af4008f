import { resolve } from 'node:path';
import { filesHash } from '../installation.ts';
import { installPython, interpreterOf, type PythonOptions } from '../python/environment.ts';

export const MOTO_VERSION = '5.2.5';

/** Committed next to the sources: the version and the hash of every wheel that may be installed. */
const LISTS = resolve(import.meta.dirname, '..', '..', 'moto');

/** The path of the Python that has moto's server, installed by pip when it is not in the cache yet. */
export async function installMoto(options: PythonOptions = {}): Promise<string> {
  const environment = {
    what: `moto ${MOTO_VERSION}`,
    folder: `moto-${MOTO_VERSION}-${filesHash(LISTS, ['requirements.txt'])}`,
    requirements: resolve(LISTS, 'requirements.txt'),
    size: '50 MB',
    blocks: 'everything that asks AWS: the awskms seal',
  };
  return interpreterOf(await installPython(environment, options));
}
