import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { S3Client } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AuditShipper } from './shipper.ts';

let folder: string;
let file: string;
let stored: Map<string, string>;
let hangUps: number;
let refuse: boolean;
let lines: string[];

beforeEach(() => {
  folder = mkdtempSync('/tmp/audit-');
  file = join(folder, 'audit.log');
  stored = new Map();
  hangUps = 0;
  refuse = false;
  lines = [];
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const store = {
  async send({ input }: { input: { Bucket: string; Key: string; Body: Buffer } }) {
    if (refuse) throw new Error('SlowDown');
    stored.set(input.Key, gunzipSync(input.Body).toString('utf8'));
  },
} as unknown as S3Client;

/** A server that opens its file again when it is told. */
function reopen(): void {
  hangUps += 1;
  writeFileSync(file, '');
}

function shipper(hangUp: () => void = reopen): AuditShipper {
  const options = { file, store, bucket: 'b', prefix: 'audit/vault-0', rotateMs: 1_000, rotateBytes: 100 };
  return new AuditShipper({ ...options, hangUp, log: (line) => lines.push(line), reopenLimitMs: 50 }, 0);
}

test('a log that is old enough is rotated, stored and deleted', async () => {
  writeFileSync(file, 'one\ntwo\n');
  await shipper().tick(1_000);
  expect([...stored]).toEqual([['audit/vault-0/audit.log.1970-01-01T00-00-01.000Z.gz', 'one\ntwo\n']]);
  expect(hangUps).toBe(1);
  expect(readdirSync(folder)).toEqual(['audit.log']);
});

test('a log that is young and small stays, an empty one too, a large one goes', async () => {
  writeFileSync(file, 'one\n');
  const one = shipper();
  await one.tick(999);
  expect(stored.size).toBe(0);
  writeFileSync(file, 'x'.repeat(100));
  await one.tick(999);
  expect(stored.size).toBe(1);
  await one.tick(100_000);
  expect(stored.size).toBe(1);
});

test('a bucket that refuses costs nothing: it is tried again, in order', async () => {
  const one = shipper();
  refuse = true;
  writeFileSync(file, 'first\n');
  await one.tick(1_000);
  writeFileSync(file, 'second\n');
  await one.tick(2_000);
  expect(await one.waiting()).toHaveLength(2);
  refuse = false;
  await one.tick(2_001);
  expect([...stored.values()]).toEqual(['first\n', 'second\n']);
  expect(await one.waiting()).toEqual([]);
});

test('until the server has opened a new file the old one is neither stored nor deleted', async () => {
  writeFileSync(file, 'one\n');
  const deaf = shipper(() => {});
  await deaf.tick(1_000);
  expect(stored.size).toBe(0);
  expect(await deaf.waiting()).toHaveLength(1);
  expect(lines.at(-1)).toContain('has not opened');
});

test('a run that ended between renaming and telling is made up for', async () => {
  writeFileSync(file, 'one\n');
  renameSync(file, `${file}.1970-01-01T00-00-00.500Z`);
  await shipper().tick(1);
  expect(hangUps).toBe(1);
  expect(existsSync(file)).toBe(true);
  expect([...stored.values()]).toEqual(['one\n']);
});

test('a server that is not there is told of, and the log stays', async () => {
  writeFileSync(file, 'one\n');
  const alone = shipper(() => {
    throw new Error('no process is called vault');
  });
  await alone.tick(1_000);
  expect(lines.at(-1)).toContain('no process is called vault');
  const [waiting = ''] = await alone.waiting();
  expect(readFileSync(waiting, 'utf8')).toBe('one\n');
});
