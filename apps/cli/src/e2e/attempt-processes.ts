import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Home } from '../platform/home.ts';
import { processStart } from '../platform/processes.ts';
import { commandOf } from './hive-process.ts';

/** Every process that works for an attempt: inside its workspace, or with its name on the command line. */
export function attemptProcesses({ data, worker }: Home): number[] {
  const folders = [join(data, 'workspaces'), join(worker, 'workspaces')];
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const pid = Number(name);
    const about = `${workingFolderOf(pid)} ${commandOf(pid)}`;
    const alive = processStart(pid) !== undefined;
    return alive && folders.some((folder) => about.includes(`${folder}/`)) ? [pid] : [];
  });
}

function workingFolderOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}
