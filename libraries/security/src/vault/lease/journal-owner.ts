import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** A process, told apart from a later one that got its number. */
export interface JournalOwner {
  readonly host: string;
  readonly pid: number;
  /** When the kernel started it, in its own units; empty where the kernel does not say. */
  readonly started: string;
}

export function ownProcess(): JournalOwner {
  return { host: hostname(), pid: process.pid, started: processStart(process.pid) ?? '' };
}

/** Whether the process is surely over: not while it may run on another machine, where nobody here can look. */
export function isOver(owner: JournalOwner): boolean {
  if (owner.host !== hostname()) return false;
  const started = processStart(owner.pid);
  if (started !== undefined) return started !== owner.started;
  // Without /proc the number alone has to do; our own can only have been another's before.
  if (owner.pid === process.pid) return true;
  try {
    process.kill(owner.pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** Field 22 of /proc/<pid>/stat; the name before it may hold anything, so counting starts after its bracket. */
function processStart(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
