import { join, resolve } from 'node:path';
import { buildGo, type GoBuild, type GoBuildOptions } from '../go/build.ts';

export const ETCD_VERSION = '3.7.3';

const PROGRAM = 'etcd';

const BUILD: GoBuild = {
  what: `etcd ${ETCD_VERSION}`,
  name: `etcd-${ETCD_VERSION}`,
  module: resolve(import.meta.dirname, '..', '..', 'etcd'),
  programs: { 'go.etcd.io/etcd/server/v3': PROGRAM },
  blocks: 'the Kubernetes API server',
};

/** The path of `etcd`, built when it is not in the cache yet, which takes some minutes on two cores. */
export async function installEtcd(options: GoBuildOptions = {}): Promise<string> {
  return join(await buildGo(BUILD, options), PROGRAM);
}
