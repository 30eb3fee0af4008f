import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { environmentFailure } from '../failure.ts';
import { locateHome } from '../platform/home.ts';
import { lockHolder } from '../platform/lock.ts';

const port = z.int().min(1).max(65_535);

/** What other commands need to find the running platform. It holds addresses, never a secret. */
const platformState = z.object({
  pid: z.int().positive(),
  startedAtMs: z.int(),
  operatorSocket: z.string(),
  vaultAddress: z.string(),
  caFile: z.string(),
  orchestrator: z.object({ port, management: port, metrics: port }),
  worker: z.object({ management: port, metrics: port }),
  registry: z.object({ port, management: port, metrics: port }),
});
export type PlatformState = z.infer<typeof platformState>;

export function writePlatformState(path: string, state: PlatformState): void {
  const partial = `${path}.${process.pid}`;
  writeFileSync(partial, JSON.stringify(state), { mode: 0o600 });
  renameSync(partial, path);
}

/** The platform that runs on this data folder. */
export function findPlatform(data?: string): PlatformState {
  const home = locateHome({ root: process.getuid?.() === 0, ...(data === undefined ? {} : { data }) });
  const pid = lockHolder(home.lockFile);
  if (pid !== undefined) {
    try {
      const state = platformState.parse(JSON.parse(readFileSync(home.stateFile, 'utf8')));
      if (state.pid === pid) return state;
    } catch {
      // It is starting, or ended without clearing up.
    }
    throw environmentFailure('The platform is starting and not ready yet: try again in a few seconds.');
  }
  throw environmentFailure('No platform is running: start one with `npm start` and leave it running.');
}
