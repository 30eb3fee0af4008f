import { join, resolve } from 'node:path';
import { buildGo, type GoBuild, type GoBuildOptions } from '../go/build.ts';

const PROGRAM = 'go-peer';

const BUILD: GoBuild = {
  what: 'the Go peer',
  name: PROGRAM,
  module: resolve(import.meta.dirname, '..', '..', 'go-peer'),
  sources: ['main.go'],
  programs: { '.': PROGRAM },
};

/** The path of a workload in Go that speaks through go-spiffe, built when it is not in the cache yet. */
export async function installGoPeer(options: GoBuildOptions = {}): Promise<string> {
  return join(await buildGo(BUILD, options), PROGRAM);
}
