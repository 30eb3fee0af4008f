import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** The processes that run under a uid of their own when the platform is started as root. */
export interface ServiceUsers {
  /** False without root: every process runs as the caller, and nothing separates them. */
  readonly separated: boolean;
  readonly authority: number;
  readonly orchestrator: number;
  readonly worker: number;
  readonly registry: number;
  /** One for each attempt that runs at the same time. */
  readonly attempts: readonly number[];
}

const ATTEMPT_USERS = 8;
const SERVICE_USERS = 4;
const FIRST_UID = 61_000;
const LAST_UID = 64_000;

/** The uids that the system's accounts hold. */
function takenUids(passwd: string): Set<number> {
  return new Set(passwd.split('\n').map((line) => Number(line.split(':')[2])));
}

/**
 * Picks a run of numeric uids that no account holds. They need no entry in the password file: a process only needs
 * a number that no other process has. Where the search starts comes from the data folder, so that a platform finds its
 * own files again and two platforms of one machine keep apart.
 */
export function chooseUsers(options: { root: boolean; data: string; passwd?: string }): ServiceUsers {
  if (!options.root) {
    const own = process.getuid?.() ?? 0;
    return { separated: false, authority: own, orchestrator: own, worker: own, registry: own, attempts: [] };
  }
  const taken = takenUids(options.passwd ?? readFileSync('/etc/passwd', 'utf8'));
  const size = SERVICE_USERS + ATTEMPT_USERS;
  const runs = Math.floor((LAST_UID - FIRST_UID) / size);
  const start = createHash('sha256').update(options.data).digest().readUInt32BE() % runs;
  for (let step = 0; step < runs; step += 1) {
    const first = FIRST_UID + ((start + step) % runs) * size;
    const run = Array.from({ length: size }, (_, index) => first + index);
    if (run.some((uid) => taken.has(uid))) continue;
    return {
      separated: true,
      authority: first,
      orchestrator: first + 1,
      worker: first + 2,
      registry: first + 3,
      attempts: run.slice(SERVICE_USERS),
    };
  }
  throw new RangeError(`No ${size} free uids in a row between ${FIRST_UID} and ${LAST_UID}`);
}
