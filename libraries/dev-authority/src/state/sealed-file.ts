import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AuthorityError } from '../authority-error.ts';

const MAGIC = Buffer.from('NHDA0001');
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/** One file, encrypted with AES-256-GCM, replaced as a whole: a reader sees the old content or the new, never a mix. */
export class SealedFile {
  readonly #path: string;
  readonly #key: Buffer;

  private constructor(path: string, key: Buffer) {
    this.#path = path;
    this.#key = key;
  }

  /** Reads the key, or makes one when there is neither a key nor a file that it could have sealed. */
  static async open(path: string, keyPath: string): Promise<SealedFile> {
    await removeTorn(path);
    const key = (await readKey(keyPath)) ?? (await createKey(keyPath, path));
    return new SealedFile(path, key);
  }

  /** The content, or `undefined` when nothing was ever written. */
  async read(): Promise<Buffer | undefined> {
    const sealed = await readIfPresent(this.#path);
    if (sealed === undefined) return undefined;
    const nonceEnd = MAGIC.length + NONCE_BYTES;
    if (sealed.length < nonceEnd + TAG_BYTES || !sealed.subarray(0, MAGIC.length).equals(MAGIC)) {
      throw new AuthorityError('state_unreadable', 'The state file is not one of this program: move it away');
    }
    const decipher = createDecipheriv('aes-256-gcm', this.#key, sealed.subarray(MAGIC.length, nonceEnd));
    decipher.setAAD(MAGIC);
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    try {
      const content = sealed.subarray(nonceEnd, sealed.length - TAG_BYTES);
      return Buffer.concat([decipher.update(content), decipher.final()]);
    } catch (cause) {
      throw new AuthorityError('state_unreadable', 'The state file was not sealed with this key, or was changed', {
        cause,
      });
    }
  }

  /** Resolves when the content is on the disk. One write at a time: the caller sees to that. */
  async write(content: Buffer): Promise<void> {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce);
    cipher.setAAD(MAGIC);
    const encrypted = Buffer.concat([cipher.update(content), cipher.final()]);
    const next = `${this.#path}.${randomBytes(6).toString('hex')}.next`;
    try {
      await writeDurably(next, Buffer.concat([MAGIC, nonce, encrypted, cipher.getAuthTag()]));
      await rename(next, this.#path);
    } catch (cause) {
      await rm(next, { force: true });
      throw cause;
    }
    await syncFolder(dirname(this.#path));
  }
}

/** Makes the folder 0700 when it is missing, and refuses one that others can open. */
export async function preparePrivateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const { mode, uid } = await stat(path);
  if (process.getuid !== undefined && uid !== process.getuid()) {
    throw new AuthorityError('state_exposed', 'The state folder belongs to another user: choose one of your own');
  }
  if ((mode & 0o022) !== 0) await chmod(path, 0o700);
}

async function removeTorn(path: string): Promise<void> {
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    if (name.startsWith(prefix) && name.endsWith('.next')) await rm(join(dirname(path), name), { force: true });
  }
}

async function readKey(path: string): Promise<Buffer | undefined> {
  const text = await readIfPresent(path);
  if (text === undefined) return undefined;
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) {
    throw new AuthorityError('state_exposed', 'The key file of the state is open to others: it must have mode 0600');
  }
  const key = Buffer.from(text.toString('ascii').trim(), 'hex');
  if (key.length !== KEY_BYTES) throw new AuthorityError('state_unreadable', 'The key file of the state is damaged');
  return key;
}

async function createKey(keyPath: string, statePath: string): Promise<Buffer> {
  if ((await readIfPresent(statePath)) !== undefined) {
    throw new AuthorityError('state_unreadable', 'There is a state file and no key for it: move the state file away');
  }
  const key = randomBytes(KEY_BYTES);
  await writeDurably(keyPath, Buffer.from(`${key.toString('hex')}\n`));
  await syncFolder(dirname(keyPath));
  return key;
}

async function writeDurably(path: string, content: Buffer): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A rename is durable only when the folder that names the file is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function readIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
