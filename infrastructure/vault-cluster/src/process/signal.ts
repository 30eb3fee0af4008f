import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClusterError } from '../cluster-error.ts';

/** The processes with this program's name that this one sees, by Linux' /proc. */
export function processesNamed(name: string, proc = '/proc'): readonly number[] {
  return readdirSync(proc)
    .filter((entry) => /^\d+$/.test(entry))
    .filter((entry) => commandOf(join(proc, entry)) === name)
    .map(Number);
}

function commandOf(folder: string): string | undefined {
  try {
    return readFileSync(join(folder, 'comm'), 'utf8').trim();
  } catch {
    // It ended in between.
    return undefined;
  }
}

/** Tells the one process of that name to read its certificates and to open its audit files again. */
export function hangUp(name: string, proc = '/proc'): void {
  const found = processesNamed(name, proc);
  const [pid] = found;
  if (pid === undefined || found.length > 1) {
    const rule = pid === undefined ? `no process is called ${name}` : `${found.length} processes are called ${name}`;
    const advice = 'the pod needs shareProcessNamespace, and one server';
    throw new ClusterError('process_missing', `Sending SIGHUP: ${rule}; ${advice}`, { retryable: true });
  }
  process.kill(pid, 'SIGHUP');
}
