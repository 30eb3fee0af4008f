import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';

/** Uids for attempts, each used by one attempt at a time and swept before the next. Needs root. */
export class UidPool {
  readonly #all: ReadonlySet<number>;
  readonly #free: number[];
  readonly #waiting: ((uid: number) => void)[] = [];
  readonly #reaper: string;
  readonly #node: string;

  constructor(uids: readonly number[], reaper: string, node: string) {
    if (uids.length === 0) throw new RangeError('uids: at least one is needed');
    for (const uid of uids) {
      if (!Number.isInteger(uid) || uid <= 0) throw new RangeError('uids: each must be a positive integer');
    }
    this.#all = new Set(uids);
    this.#free = [...this.#all];
    this.#reaper = reaper;
    this.#node = node;
  }

  /** Waits until a uid is free. Rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    const uid = this.#free.shift();
    if (uid !== undefined) return Promise.resolve(uid);
    return new Promise((resolve, reject) => {
      const hand = (freed: number): void => {
        signal.removeEventListener('abort', giveUp);
        resolve(freed);
      };
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(hand), 1);
        reject(signal.reason);
      };
      this.#waiting.push(hand);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  release(uid: number): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(uid);
    else next(uid);
  }

  /** Ends every process of the uid and, with the uid's own rights, empties the folder. */
  async reap(uid: number, folder?: string): Promise<void> {
    if (!this.#all.has(uid)) throw new RangeError('uid: it does not belong to attempts');
    for (let round = 0; round < 5; round += 1) {
      const reaper = spawn(this.#node, [this.#reaper, String(uid), ...(folder === undefined ? [] : [folder])], {
        uid,
        gid: uid,
        cwd: '/',
        env: {},
        stdio: 'ignore',
      });
      const [code] = (await once(reaper, 'exit')) as [number | null];
      if (code === 0 && !hasProcesses(uid)) return;
    }
    throw new Error(`Processes or files of the attempt uid ${uid} are left`);
  }
}

/** Linux only; elsewhere the reaper's success has to do. */
function hasProcesses(uid: number): boolean {
  if (process.platform !== 'linux') return false;
  return readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      return !/^State:\s+[ZX]/m.test(status) && new RegExp(`^Uid:(?:\\s+\\d+){0,3}\\s+${uid}\\b`, 'm').test(status);
    } catch {
      return false;
    }
  });
}
