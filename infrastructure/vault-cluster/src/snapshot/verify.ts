import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { messageOf } from '@neural-hive/security/common';
import { ClusterError } from '../cluster-error.ts';
import { damaged, readTar } from './tar.ts';

export interface SnapshotSummary {
  /** Of the state inside, uncompressed. */
  readonly stateBytes: number;
  /** The last entry of the Raft log that is in it. */
  readonly index: number;
  readonly term: number;
}

const SUMS = 'SHA256SUMS';
const META = 'meta.json';
const STATE = 'state.bin';
const KEPT_BYTES = 1_048_576;

/**
 * A snapshot is a gzipped tar with the state, what it is, and the sums of both. Every sum has to be right, and the
 * state must not be empty.
 *
 * @throws ClusterError `snapshot_damaged`
 */
export async function verifySnapshot(path: string): Promise<SnapshotSummary> {
  const sums = new Map<string, string>();
  const texts = new Map<string, string>();
  let stateBytes = 0;
  let current: { name: string; hash: Hash; kept: Buffer[] } | undefined;
  const finish = (): void => {
    if (current === undefined) return;
    sums.set(current.name, current.hash.digest('hex'));
    texts.set(current.name, Buffer.concat(current.kept).toString('utf8'));
  };
  try {
    for await (const event of readTar(createReadStream(path).pipe(createGunzip()))) {
      if (event.kind === 'file') {
        finish();
        current = { name: event.name, hash: createHash('sha256'), kept: [] };
        if (event.name === STATE) stateBytes = event.size;
        else if (event.size > KEPT_BYTES) throw damaged(`${event.name} has ${event.size} bytes`);
      } else {
        current?.hash.update(event.bytes);
        if (current !== undefined && current.name !== STATE) current.kept.push(event.bytes);
      }
    }
  } catch (error) {
    if (error instanceof ClusterError) throw error;
    throw damaged(messageOf(error));
  }
  finish();
  compareSums(texts.get(SUMS), sums);
  if (stateBytes === 0) throw damaged('its state is empty');
  return { stateBytes, ...parseMeta(texts.get(META) ?? '') };
}

function compareSums(listed: string | undefined, found: ReadonlyMap<string, string>): void {
  if (listed === undefined) throw damaged(`it has no ${SUMS}`);
  const lines = listed.split('\n').filter((line) => line.trim() !== '');
  for (const line of lines) {
    const [sum = '', name = ''] = line.trim().split(/\s+/);
    if (found.get(name) !== sum) throw damaged(`the sum of ${name} is wrong`);
  }
  const named = lines.map((line) => line.trim().split(/\s+/)[1]);
  for (const name of [META, STATE]) if (!named.includes(name)) throw damaged(`${SUMS} does not list ${name}`);
}

function parseMeta(text: string): { index: number; term: number } {
  try {
    const { Index, Term } = JSON.parse(text) as { Index: unknown; Term: unknown };
    return { index: Number(Index), term: Number(Term) };
  } catch {
    throw damaged(`${META} is not JSON`);
  }
}
