import { constants } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import { AuthorityError } from '../authority-error.ts';

/** One authority per state folder: two would overwrite each other. Left behind by a killed process it is taken over. */
export class StateLock {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  static async take(path: string): Promise<StateLock> {
    for (let attempt = 0; attempt < 3; attempt += 1) {
      try {
        const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
        await file.writeFile(String(process.pid));
        await file.close();
        return new StateLock(path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = Number(await readFile(path, 'utf8').catch(() => ''));
      if (isAlive(holder)) {
        throw new AuthorityError(
          'state_in_use',
          `The state folder is in use by process ${holder}: stop it or choose another`,
        );
      }
      await rm(path, { force: true });
    }
    throw new AuthorityError('state_in_use', 'The state folder is being taken by another process');
  }

  async release(): Promise<void> {
    await rm(this.#path, { force: true });
  }
}

function isAlive(pid: number): boolean {
  // Our own number in a file that we did not write: an earlier process had it.
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
