import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { TicketFailure } from '../../domain/failure.ts';

export interface TreeLimits {
  readonly files: number;
  readonly bytes: number;
}

export interface CopiedTree {
  /** SHA-256 over the names, the executable bits and the contents, in hexadecimal. */
  readonly digest: string;
  readonly files: number;
  readonly bytes: number;
}

const CHUNK_BYTES = 1024 * 1024;

/**
 * Copies regular files and folders, and nothing else: a link in what an attempt made could point at anything that the
 * worker can read. Every file must belong to the owner of the folder. Throws a `TicketFailure`.
 */
export async function copyTree(
  from: string,
  to: string,
  { limits, signal }: { limits: TreeLimits; signal: AbortSignal },
): Promise<CopiedTree> {
  const root = await lstat(from).catch(() => undefined);
  if (!root?.isDirectory()) throw new TicketFailure('execution', 'The program made no product folder');
  const hash = createHash('sha256');
  const total = { files: 0, bytes: 0 };

  const visit = async (folder: string): Promise<void> => {
    await mkdir(join(to, folder), { mode: 0o755 });
    const names = (await readdir(join(from, folder))).sort();
    for (const name of names) {
      signal.throwIfAborted();
      const path = join(folder, name);
      const found = await lstat(join(from, path));
      if (found.uid !== root.uid) throw new TicketFailure('execution', 'The product holds a file of another owner');
      if (found.isDirectory()) {
        hash.update(`folder\0${path}\0`);
        await visit(path);
      } else if (found.isFile()) {
        const executable = (found.mode & 0o100) !== 0;
        hash.update(`${executable ? 'program' : 'file'}\0${path}\0${found.size}\0`);
        total.files += 1;
        total.bytes += await copyFile(join(from, path), join(to, path), executable, hash, limits.bytes - total.bytes);
      } else {
        throw new TicketFailure('execution', 'The product holds something that is neither a file nor a folder');
      }
      if (total.files > limits.files) {
        throw new TicketFailure('execution', `The product holds more than ${limits.files} files`);
      }
    }
  };
  await visit('');
  if (total.files === 0) throw new TicketFailure('execution', 'The product folder is empty');
  return { digest: hash.digest('hex'), ...total };
}

async function copyFile(from: string, to: string, executable: boolean, hash: Hash, room: number): Promise<number> {
  await using source = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW);
  await using target = await open(to, 'wx', executable ? 0o755 : 0o644);
  const buffer = Buffer.alloc(CHUNK_BYTES);
  let copied = 0;
  for (;;) {
    const { bytesRead } = await source.read(buffer, 0, CHUNK_BYTES, null);
    if (bytesRead === 0) break;
    copied += bytesRead;
    if (copied > room) throw new TicketFailure('execution', 'The product is larger than allowed');
    const chunk = buffer.subarray(0, bytesRead);
    hash.update(chunk);
    await target.writeFile(chunk);
  }
  await target.sync();
  return copied;
}
