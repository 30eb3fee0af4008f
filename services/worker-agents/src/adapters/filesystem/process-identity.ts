import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Tells two processes apart that had the same pid. Undefined when there is no such process, or only a zombie. */
export function processStart(pid: number): string | undefined {
  try {
    if (process.platform !== 'linux') {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
    }
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces; the start time is field 22, the 20th after it.
    const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' || rest[18] === undefined ? undefined : `${bootId()}:${rest[18]}`;
  } catch {
    return undefined;
  }
}

let boot: string | undefined;

/** Start times count from the boot. */
function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return boot;
}
