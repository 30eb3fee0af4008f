import { resolve } from 'node:path';
import { filesHash } from '../installation.ts';
import { installPython, interpreterOf, type PythonOptions } from '../python/environment.ts';

export const HVAC_VERSION = '2.4.0';

/** Committed next to the sources: the version and the hash of every wheel that may be installed. */
const LISTS = resolve(import.meta.dirname, '..', '..', 'hvac');

/** The path of the Python that has hvac, the Vault client of Python, installed by pip when it is not in the cache yet. */
export async function installHvac(options: PythonOptions = {}): Promise<string> {
  const environment = {
    what: `hvac ${HVAC_VERSION}`,
    folder: `hvac-${HVAC_VERSION}-${filesHash(LISTS, ['requirements.txt'])}`,
    requirements: resolve(LISTS, 'requirements.txt'),
    size: '2 MB',
    blocks: 'trying a client of others on the dev authority',
  };
  return interpreterOf(await installPython(environment, options));
}
