import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { verifySnapshot } from './verify.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync('/tmp/snapshot-');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** One file of a tar archive: a header with its sum, the bytes, and zeros to the end of the block. */
function tarFile(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000600\0', 100);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('        ', 148);
  header.write('0', 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

interface Parts {
  readonly meta?: string;
  readonly state?: Buffer;
  readonly sums?: string;
}

const sumOf = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');

function snapshot({ meta = '{"Index": 12, "Term": 3}', state = Buffer.alloc(1500, 7), sums }: Parts = {}): Buffer {
  const listed = sums ?? `${sumOf(meta)}  meta.json\n${sumOf(state)}  state.bin\n`;
  const files = [
    tarFile('meta.json', Buffer.from(meta)),
    tarFile('state.bin', state),
    tarFile('SHA256SUMS', Buffer.from(listed)),
  ];
  return gzipSync(Buffer.concat([...files, Buffer.alloc(1024)]));
}

function verify(bytes: Buffer): ReturnType<typeof verifySnapshot> {
  const path = join(folder, 'vault.snap');
  writeFileSync(path, bytes);
  return verifySnapshot(path);
}

test('a snapshot whose sums are right is described', async () => {
  expect(await verify(snapshot())).toEqual({ stateBytes: 1500, index: 12, term: 3 });
});

test.each([
  [
    'a state that was changed',
    snapshot({ sums: `${sumOf('{"Index": 12, "Term": 3}')}  meta.json\n${sumOf('x')}  state.bin\n` }),
    /sum of state\.bin/,
  ],
  [
    'sums without the state',
    snapshot({ sums: `${sumOf('{"Index": 12, "Term": 3}')}  meta.json\n` }),
    /does not list state\.bin/,
  ],
  ['an empty state', snapshot({ state: Buffer.alloc(0) }), /its state is empty/],
  ['a description that is none', snapshot({ meta: 'nonsense' }), /meta\.json is not JSON/],
  ['half of one', snapshot().subarray(0, 200), /snapshot/],
  ['an empty file', Buffer.alloc(0), /snapshot/],
  ['something else', Buffer.from('not a snapshot at all'), /snapshot/],
  [
    'an archive without sums',
    gzipSync(Buffer.concat([tarFile('state.bin', Buffer.from('x')), Buffer.alloc(1024)])),
    /no SHA256SUMS/,
  ],
  [
    'an archive with a broken header',
    gzipSync(Buffer.concat([Buffer.alloc(512, 1), Buffer.alloc(1024)])),
    /sum of a header/,
  ],
])('%s is refused and not stored', async (_, bytes, says) => {
  const failing = verify(bytes);
  await expect(failing).rejects.toMatchObject({ code: 'snapshot_damaged' });
  await expect(failing).rejects.toThrow(says);
});
