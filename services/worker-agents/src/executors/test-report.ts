import type { FinishedAttempt } from '../attempts/attempt-runner.ts';
import type { TestReportPlace } from '../attempts/program-catalogue.ts';
import { readJUnit } from './junit-report.ts';
import { readInside } from './sources.ts';
import { readTap } from './tap-report.ts';

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const MAX_REPORT_BYTES = 16 * 1024 * 1024;

/** What the program says that it found out; undefined when it says nothing that counts. */
export async function readTestCounts(
  { output, workspace }: Pick<FinishedAttempt, 'output' | 'workspace'>,
  place: TestReportPlace,
): Promise<TestCounts | undefined> {
  if (place.format === 'tap') return readTap(output.text('stdout'));
  // The program may have made a link of it, to what only the worker can read.
  const report = await readInside(workspace, place.file, MAX_REPORT_BYTES);
  return report === undefined ? undefined : readJUnit(report.toString('utf8'));
}
