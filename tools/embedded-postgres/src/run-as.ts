import { readFileSync, type Stats, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { PostgresServerError } from './errors.ts';

/** The user that the server's processes run as. PostgreSQL refuses to run as root. */
export interface RunAs {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** Whether this process must switch to it, which needs root. */
  readonly switches: boolean;
}

const PREFERRED = ['postgres', '_postgres', 'nobody', 'daemon'];

/** The current user, or as root an existing unprivileged one: `postgres`, else `nobody`, else any of the password file. */
export function chooseRunAs(options: { uid?: number; gid?: number; passwd?: string } = {}): RunAs {
  const uid = options.uid ?? process.getuid?.();
  const gid = options.gid ?? process.getgid?.();
  if (uid === undefined || gid === undefined) {
    throw new PostgresServerError(
      'unsupported_system',
      `PostgreSQL cannot be run on ${process.platform}: use Linux or macOS`,
    );
  }
  if (uid !== 0) return { name: `uid ${uid}`, uid, gid, switches: false };

  const accounts = (options.passwd ?? readFileSync('/etc/passwd', 'utf8')).split('\n').flatMap((line) => {
    const [name = '', , uidText = '', gidText = ''] = line.split(':');
    const account = { name, uid: Number(uidText), gid: Number(gidText), switches: true };
    return name && /^\d+$/.test(uidText) && /^\d+$/.test(gidText) && account.uid > 0 ? [account] : [];
  });
  const chosen =
    PREFERRED.map((name) => accounts.find((account) => account.name === name)).find(Boolean) ?? accounts[0];
  if (chosen === undefined) {
    throw new PostgresServerError(
      'no_unprivileged_user',
      'PostgreSQL refuses to run as root and the password file names no other user: start as an ordinary user',
    );
  }
  return chosen;
}

const READ_CROSS = 0o5;
const CROSS = 0o1;

/** Whether the mode bits grant `bits` (of 4 read, 2 write, 1 cross) to the user. */
function grants(stats: Stats, user: RunAs, bits: number): boolean {
  const shift = stats.uid === user.uid ? 6 : stats.gid === user.gid ? 3 : 0;
  return ((stats.mode >> shift) & bits) === bits;
}

/** The first folder on the way to `path` that the user cannot cross, or undefined when it can reach `path`. */
export function barrierTo(path: string, user: RunAs): string | undefined {
  if (!user.switches) return undefined;
  const parents: string[] = [];
  for (let folder = dirname(resolve(path)); ; folder = dirname(folder)) {
    parents.unshift(folder);
    if (folder === dirname(folder)) break;
  }
  return parents.find((folder) => {
    const stats = statSync(folder, { throwIfNoEntry: false });
    return stats !== undefined && !grants(stats, user, CROSS);
  });
}

/** Whether the user can list and cross the folder itself and everything on the way to it. */
export function canUseFolder(path: string, user: RunAs): boolean {
  if (!user.switches) return true;
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats?.isDirectory() === true && grants(stats, user, READ_CROSS) && barrierTo(path, user) === undefined;
}
