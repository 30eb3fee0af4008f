import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Pids of live processes for which `matches` holds; those that cannot be asked are left out. Linux only. */
function find(matches: (pid: string) => boolean): number[] {
  return readdirSync('/proc')
    .filter((name) => {
      if (!/^\d+$/.test(name)) return false;
      try {
        return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${name}/status`, 'utf8')) && matches(name);
      } catch {
        return false;
      }
    })
    .map(Number);
}

export function processesOfUid(uid: number): number[] {
  return find((pid) => new RegExp(`^Uid:\\s+${uid}\\b`, 'm').test(readFileSync(`/proc/${pid}/status`, 'utf8')));
}

export function processesBelow(folder: string): number[] {
  return find((pid) => `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${folder}/`));
}

export function isAlive(pid: number): boolean {
  return find((name) => name === String(pid)).length > 0;
}
