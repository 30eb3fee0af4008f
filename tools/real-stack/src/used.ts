import { appendFileSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';

/** A program of one version, and the test files that had it run. */
export interface UsedProgram {
  readonly name: string;
  readonly version: string;
  readonly tests: readonly string[];
}

interface Use {
  readonly name: string;
  readonly version: string;
  readonly test: string;
}

/**
 * Notes that a test has a program run, for the report of `npm run test:real`. The file to write to and the test come by
 * REAL_STACK_USED and REAL_STACK_TEST, so that it works in the children of a test as well; without them nothing is noted.
 */
export function noteUse(name: string, version: string): void {
  const { REAL_STACK_USED: file, REAL_STACK_TEST: test } = process.env;
  if (file === undefined || test === undefined) return;
  // One short line is written at once, whoever else writes.
  appendFileSync(file, `${JSON.stringify({ name, version, test } satisfies Use)}\n`);
}

/** What was noted, by name and version; tests as paths below the root. */
export function readUses(file: string, root: string): UsedProgram[] {
  const programs = new Map<string, { name: string; version: string; tests: Set<string> }>();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line === '') continue;
    const { name, version, test } = JSON.parse(line) as Use;
    const key = `${name} ${version}`;
    const program = programs.get(key) ?? { name, version, tests: new Set() };
    program.tests.add(relative(root, test));
    programs.set(key, program);
  }
  const sorted = [...programs.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([, { name, version, tests }]) => ({ name, version, tests: [...tests].sort() }));
}
