import { createReadStream, existsSync } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { messageOf } from '@neural-hive/security/common';

export interface AuditShipperOptions {
  /** The file the server writes. */
  readonly file: string;
  readonly store: S3Client;
  readonly bucket: string;
  readonly prefix: string;
  /** A file that is older, and not empty, is rotated. In milliseconds. */
  readonly rotateMs: number;
  /** A file that is larger is rotated. */
  readonly rotateBytes: number;
  /** Tells the server to open its file again. */
  readonly hangUp: () => void;
  readonly log: (line: string) => void;
  /** How long the server may take to do so. Default 30 s. */
  readonly reopenLimitMs?: number;
}

const REOPEN_LIMIT_MS = 30_000;
const POLL_MS = 100;

/**
 * Renames the audit log, has the server open a new one, and carries the old one to a bucket. A file is deleted only once it
 * is stored, and shipped only once the server writes to another: so no line is lost, whenever this process ends.
 */
export class AuditShipper {
  readonly #options: AuditShipperOptions;
  #rotatedAtMs: number;

  constructor(options: AuditShipperOptions, nowMs: number) {
    this.#options = options;
    this.#rotatedAtMs = nowMs;
  }

  /** Rotates when it is time, and ships what waits. Never rejects: what fails is tried again at the next call. */
  async tick(nowMs: number): Promise<void> {
    try {
      await this.#rotateIfDue(nowMs);
      for (const file of await this.waiting()) await this.#ship(file);
    } catch (error) {
      this.#options.log(`audit log: ${messageOf(error)}`);
    }
  }

  /** Rotated files that are not stored yet, oldest first. */
  async waiting(): Promise<readonly string[]> {
    const { file } = this.#options;
    const names = await readdir(dirname(file));
    return names
      .filter((name) => name.startsWith(`${basename(file)}.`))
      .sort()
      .map((name) => join(dirname(file), name));
  }

  async #rotateIfDue(nowMs: number): Promise<void> {
    const { file, rotateMs, rotateBytes } = this.#options;
    // An earlier run may have ended between renaming and telling.
    if (!existsSync(file)) return (await this.waiting()).length > 0 ? this.#reopen() : undefined;
    const { size } = await stat(file);
    const due = size >= rotateBytes || (size > 0 && nowMs - this.#rotatedAtMs >= rotateMs);
    if (!due) return;
    await rename(file, `${file}.${new Date(nowMs).toISOString().replaceAll(':', '-')}`);
    await this.#reopen();
    this.#rotatedAtMs = nowMs;
  }

  /** Until there is a new file, the server writes to the old one, which must not be shipped. */
  async #reopen(): Promise<void> {
    const { file, hangUp, reopenLimitMs = REOPEN_LIMIT_MS } = this.#options;
    hangUp();
    const untilMs = performance.now() + reopenLimitMs;
    while (!existsSync(file)) {
      if (performance.now() > untilMs) throw new Error(`the server has not opened ${file} again`);
      await delay(POLL_MS);
    }
  }

  async #ship(path: string): Promise<void> {
    const { store, bucket, prefix, log } = this.#options;
    const Body = await buffer(createReadStream(path).pipe(createGzip()));
    const Key = `${prefix}/${basename(path)}.gz`;
    await store.send(new PutObjectCommand({ Bucket: bucket, Key, Body, ContentType: 'application/gzip' }));
    await rm(path);
    log(`stored s3://${bucket}/${Key} (${Body.length} bytes)`);
  }
}
