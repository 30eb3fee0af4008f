import { resolve } from 'node:path';
import { buildGo, type GoBuild, type GoBuildOptions } from '../go/build.ts';

export const SPIRE_VERSION = '1.15.3';

/** Committed next to the sources: the version and the hash of every module that goes into the programs. */
const MODULE = resolve(import.meta.dirname, '..', '..', 'spire');

const BUILD: GoBuild = {
  what: `SPIRE ${SPIRE_VERSION}`,
  name: `spire-${SPIRE_VERSION}`,
  module: MODULE,
  sources: ['ejbca-stub/go.mod', 'ejbca-stub/api/ejbca/ejbca.go'],
  programs: {
    'github.com/spiffe/spire/cmd/spire-agent': 'spire-agent',
    'github.com/spiffe/spire/cmd/spire-server': 'spire-server',
    'github.com/spiffe/spire/support/oidc-discovery-provider': 'oidc-discovery-provider',
  },
  // The server's sqlite.
  cgo: true,
};

/**
 * The folder with `spire-server`, `spire-agent` and `oidc-discovery-provider`, built when they are not in the cache yet,
 * which takes a quarter of an hour on two cores.
 */
export function installSpire(options: GoBuildOptions = {}): Promise<string> {
  return buildGo(BUILD, options);
}
