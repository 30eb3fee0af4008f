import { resolve } from 'node:path';
import { buildGo, type GoBuild, type GoBuildOptions } from '../go/build.ts';
import { installNpmFolder } from '../installation.ts';

export const TEMPORAL_VERSION = '1.32.0';
export const TEMPORAL_SDK_VERSION = '1.24.0';

const COMMITTED = resolve(import.meta.dirname, '..', '..');
const PACKAGE = 'go.temporal.io/server';

const BUILD: GoBuild = {
  what: `Temporal ${TEMPORAL_VERSION}`,
  name: `temporal-${TEMPORAL_VERSION}`,
  module: resolve(COMMITTED, 'temporal'),
  programs: {
    [`${PACKAGE}/cmd/server`]: 'temporal-server',
    [`${PACKAGE}/cmd/tools/sql`]: 'temporal-sql-tool',
  },
};

/**
 * The folder with `temporal-server` and `temporal-sql-tool`, built when they are not in the cache yet, which takes a
 * quarter of an hour on two cores.
 */
export function installTemporal(options: GoBuildOptions = {}): Promise<string> {
  return buildGo(BUILD, options);
}

/** The folder whose `node_modules` has @temporalio/client, worker, workflow and activity. */
export function installTemporalSdk(options: Omit<GoBuildOptions, 'go'> = {}): Promise<string> {
  const what = `the Temporal SDK ${TEMPORAL_SDK_VERSION}`;
  const name = `temporal-sdk-${TEMPORAL_SDK_VERSION}`;
  return installNpmFolder({ what, name, committed: resolve(COMMITTED, 'temporal-sdk'), size: '260 MB' }, options);
}
