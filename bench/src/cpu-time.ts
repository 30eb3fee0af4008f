import { setImmediate as turn } from 'node:timers/promises';
import type { Rounds } from './result.ts';

/** Does `count` operations. */
export type Batch = (count: number) => void | Promise<void>;

export interface CpuTimeOptions {
  readonly rounds?: number;
  /** Operations a round and side. */
  readonly count?: number;
}

/**
 * CPU time per operation in microseconds, over all threads of the process. The sides take turns, and which one begins
 * changes from round to round, so that what disturbs the machine disturbs both.
 */
export async function compareCpuTime(ours: Batch, peer: Batch, options: CpuTimeOptions = {}): Promise<Rounds> {
  const { rounds = 15, count = 1000 } = options;
  await ours(count);
  await peer(count);
  const figures: { ours: number[]; peer: number[] } = { ours: [], peer: [] };
  for (let index = 0; index < rounds; index += 1) {
    const ourTurn = async (): Promise<unknown> => figures.ours.push(await cpuTime(ours, count));
    const peerTurn = async (): Promise<unknown> => figures.peer.push(await cpuTime(peer, count));
    for (const side of index % 2 === 0 ? [ourTurn, peerTurn] : [peerTurn, ourTurn]) await side();
  }
  return figures;
}

async function cpuTime(batch: Batch, count: number): Promise<number> {
  await turn();
  const start = process.cpuUsage();
  await batch(count);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / count;
}

/** `count` operations with at most `width` under way. */
export function concurrently(width: number, operation: (index: number) => Promise<unknown>): Batch {
  return async (count) => {
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < count) {
        next += 1;
        await operation(next);
      }
    };
    await Promise.all(Array.from({ length: width }, lane));
  };
}

export function inTurn(operation: (index: number) => unknown): Batch {
  return (count) => {
    for (let index = 0; index < count; index += 1) operation(index);
  };
}
