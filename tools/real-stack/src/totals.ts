import type { UsedProgram } from './used.ts';

/** The counts of one component's tests. */
export interface ComponentTotals {
  readonly name: string;
  readonly version: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface RealTotals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly components: readonly ComponentTotals[];
}

export interface RealReport extends RealTotals {
  /** Every program that was run, by version, with the tests that had it run. */
  readonly used: readonly UsedProgram[];
}

/** Programs by name and version, from several runs. */
export function mergeUses(runs: readonly (readonly UsedProgram[])[]): UsedProgram[] {
  const merged = new Map<string, UsedProgram>();
  for (const program of runs.flat()) {
    const key = `${program.name} ${program.version}`;
    const tests = [...new Set([...(merged.get(key)?.tests ?? []), ...program.tests])].sort();
    merged.set(key, { ...program, tests });
  }
  return [...merged.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, program]) => program);
}

/** The part of Vitest's JSON report that is counted. */
interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

/** A file that could not be loaded has no test to count and fails as one; so does a run that counted nothing. */
export function countTests(report: VitestReport | undefined): Omit<ComponentTotals, 'name' | 'version'> {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const broken = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((assertion) => assertion.status === 'failed'),
  ).length;
  const passed = report.numPassedTests;
  const skipped = report.numPendingTests + report.numTodoTests;
  const failed = report.numFailedTests + broken;
  return { passed, failed: passed + failed + skipped === 0 ? 1 : failed, skipped };
}

export function addUp(components: readonly ComponentTotals[]): RealTotals {
  const sum = (key: 'passed' | 'failed' | 'skipped'): number =>
    components.reduce((total, component) => total + component[key], 0);
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped'), components };
}

/** Nothing that ran, a failure, or a test that was skipped: the run falls short. */
export function fallsShort({ passed, failed, skipped }: RealTotals): boolean {
  return passed === 0 || failed > 0 || skipped > 0;
}
