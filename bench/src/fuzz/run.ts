import { NeuralHiveError } from '@neural-hive/security/common';
import fc from 'fast-check';

export interface FuzzTarget {
  readonly name: string;
  readonly inputs: fc.Arbitrary<Uint8Array>;
  /** Takes the input, or throws a typed error. */
  readonly run: (input: Uint8Array) => unknown;
}

export interface FuzzOutcome {
  readonly failures: number;
  /** The first few, with the input in hexadecimal. */
  readonly examples: readonly string[];
}

const CHUNK = 1000;
const MAX_EXAMPLES = 5;
/** What any case may take, and what each byte of it adds. Above what keys and signatures cost, far below a square. */
const BASE_US = 20_000;
const BYTE_US = 5;
const REPEATS = 3;

export function fuzz({ inputs, run }: FuzzTarget, cases: number, seed: number): FuzzOutcome {
  const examples: string[] = [];
  let failures = 0;
  for (let done = 0; done < cases; done += CHUNK) {
    const numRuns = Math.min(CHUNK, cases - done);
    for (const input of fc.sample(inputs, { numRuns, seed: seed + done })) {
      const problem = problemOf(run, input);
      if (problem === undefined) continue;
      failures += 1;
      if (examples.length < MAX_EXAMPLES) {
        examples.push(`${problem}, ${input.length} bytes: ${Buffer.from(input).subarray(0, 400).toString('hex')}`);
      }
    }
  }
  return { failures, examples };
}

function problemOf(run: FuzzTarget['run'], input: Uint8Array): string | undefined {
  const limitUs = BASE_US + BYTE_US * input.length;
  let fastestUs = Number.POSITIVE_INFINITY;
  // A case that another process or the collector interrupted gets another try.
  for (let attempt = 0; attempt < REPEATS && fastestUs > limitUs; attempt += 1) {
    const start = process.cpuUsage();
    const problem = untypedError(run, input);
    const { user, system } = process.cpuUsage(start);
    if (problem !== undefined) return problem;
    fastestUs = Math.min(fastestUs, user + system);
  }
  return fastestUs > limitUs ? `took ${fastestUs} µs of CPU` : undefined;
}

function untypedError(run: FuzzTarget['run'], input: Uint8Array): string | undefined {
  try {
    run(input);
    return undefined;
  } catch (error) {
    return error instanceof NeuralHiveError ? undefined : `threw ${String(error)}`;
  }
}
