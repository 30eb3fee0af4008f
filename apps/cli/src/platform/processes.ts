import { readdirSync, readFileSync } from 'node:fs';

export { processStart } from '@neural-hive/worker-agents';

/** Pids of the processes whose environment carries `marker` as a whole entry. Linux only; elsewhere empty. */
export function processesWith(marker: string): number[] {
  if (process.platform !== 'linux') return [];
  const found: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (readFileSync(`/proc/${name}/environ`, 'utf8').split('\0').includes(marker)) found.push(Number(name));
    } catch {
      // It ended meanwhile, or belongs to somebody whom we may not ask.
    }
  }
  return found;
}

/** The process and everything below it. Linux only; elsewhere the process alone. */
export function processTree(root: number): number[] {
  if (process.platform !== 'linux') return [root];
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // It ended meanwhile.
    }
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

/**
 * Memory of the processes in bytes, with shared pages divided among those who share them. Undefined where the system
 * does not say (anything but Linux).
 */
export function proportionalBytes(pids: readonly number[]): number | undefined {
  if (process.platform !== 'linux') return undefined;
  let total = 0;
  for (const pid of pids) {
    try {
      const match = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
      total += Number(match?.[1] ?? 0) * 1024;
    } catch {
      // It ended meanwhile.
    }
  }
  return total;
}
