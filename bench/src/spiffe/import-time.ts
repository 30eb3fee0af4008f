import { execFileSync } from 'node:child_process';
import { type Result, resultOf } from '../result.ts';

const ROUNDS = 15;
const EMPTY = 'data:text/javascript,';
const PROGRAM = `
const start = performance.now();
for (const name of process.argv.slice(1)) await import(name);
process.stdout.write(String(performance.now() - start));`;

/** How long an import takes in a new process; the absolute difference is the cost. */
export async function* importTimeResults(): AsyncGenerator<Result> {
  yield compare('import of /spiffe/verifiers / empty module', ['@neural-hive/security/spiffe/verifiers'], [EMPTY]);
  yield compare(
    'import of grpc-js + /spiffe / grpc-js',
    ['@grpc/grpc-js', '@neural-hive/security/spiffe'],
    ['@grpc/grpc-js'],
  );
}

function compare(name: string, ours: readonly string[], peer: readonly string[]): Result {
  const rounds: { ours: number[]; peer: number[] } = { ours: [], peer: [] };
  for (let index = 0; index < ROUNDS; index += 1) {
    rounds.ours.push(importTime(ours));
    rounds.peer.push(importTime(peer));
  }
  return resultOf(name, 'ms', rounds);
}

function importTime(modules: readonly string[]): number {
  const args = ['--input-type=module', '-e', PROGRAM, ...modules];
  return Number(execFileSync(process.execPath, args, { cwd: import.meta.dirname, encoding: 'utf8' }));
}
