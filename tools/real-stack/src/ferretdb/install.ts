import { join, resolve } from 'node:path';
import { buildGo, type GoBuild, type GoBuildOptions } from '../go/build.ts';

export const FERRETDB_VERSION = '1.24.2';

const PROGRAM = 'ferretdb';
const PACKAGE = 'github.com/FerretDB/FerretDB';

const BUILD: GoBuild = {
  what: `FerretDB ${FERRETDB_VERSION}`,
  name: `ferretdb-${FERRETDB_VERSION}`,
  module: resolve(import.meta.dirname, '..', '..', 'ferretdb'),
  // Its release process writes this file; without it the program ends at once.
  vendorFiles: { [`${PACKAGE}/build/version/version.txt`]: `v${FERRETDB_VERSION}\n` },
  programs: { [`${PACKAGE}/cmd/ferretdb`]: PROGRAM },
};

/** The path of `ferretdb`, built when it is not in the cache yet, which takes some minutes on two cores. */
export async function installFerretDb(options: GoBuildOptions = {}): Promise<string> {
  return join(await buildGo(BUILD, options), PROGRAM);
}
