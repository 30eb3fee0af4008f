import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { whyUnmet } from './document.ts';
import { idsIn, type NamedTest, TITLE_FILTER } from './named-tests.ts';
import { nameOf, POINTS } from './points.ts';

/** How one test that names points ended. */
export interface Outcome {
  readonly name: string;
  readonly passed: boolean;
}

export interface Verdict {
  readonly id: string;
  /** Why it is not met; undefined when it is. */
  readonly why?: string;
  /** It is not met, and the register does not say that this is meant. */
  readonly unexpected: boolean;
}

/** A point is met when a test that names it passed and none that names it failed. */
export function judge(tests: readonly NamedTest[], outcomes: readonly Outcome[]): Verdict[] {
  const passed = new Set(outcomes.filter((one) => one.passed).flatMap(({ name }) => idsIn(name)));
  const failed = new Map(
    outcomes.filter((one) => !one.passed).flatMap(({ name }) => idsIn(name).map((id) => [id, name])),
  );
  return POINTS.map((point) => {
    const id = nameOf(point);
    const broken = point.ids.map((each) => failed.get(each)).find((name) => name !== undefined);
    const unproven = point.ids.find((each) => !passed.has(each));
    const why =
      point.unmet ??
      (broken === undefined ? undefined : `This test fails: ${broken}`) ??
      whyUnmet(point, tests) ??
      (unproven === undefined ? undefined : `No test that names ${unproven} ran.`);
    return { id, unexpected: why !== undefined && point.unmet === undefined, ...(why === undefined ? {} : { why }) };
  });
}

interface VitestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/** Runs the tests that name points, and no others. @throws Error when Vitest makes no report */
export function runTests(root: string, tests: readonly NamedTest[]): Outcome[] {
  if (tests.length === 0) return [];
  const folder = mkdtempSync(join(tmpdir(), 'nh-conformance-'));
  try {
    const report = join(folder, 'report.json');
    const files = [...new Set(tests.map(({ file }) => file))];
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
    const options = ['run', '--project', 'parts', '--reporter=json', `--outputFile=${report}`, '-t', TITLE_FILTER];
    const result = spawnSync(process.execPath, [vitest, ...options, ...files], { cwd: root, encoding: 'utf8' });
    return readReport(report, `${result.stdout}${result.stderr}`, tests, root);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function readReport(path: string, output: string, tests: readonly NamedTest[], root: string): Outcome[] {
  let report: VitestReport;
  try {
    report = JSON.parse(readFileSync(path, 'utf8')) as VitestReport;
  } catch (cause) {
    throw new Error(`Vitest made no report:\n${output}`, { cause });
  }
  return report.testResults.flatMap(({ name, status, assertionResults }) => {
    const ended = assertionResults
      .filter((test) => test.status === 'passed' || test.status === 'failed')
      .map((test) => ({ name: test.fullName, passed: test.status === 'passed' }));
    if (status !== 'failed' || ended.some(({ passed }) => !passed)) return ended;
    // The file could not be loaded, or failed outside of its tests: nothing in it is proven.
    return tests
      .filter(({ file }) => join(root, file) === name)
      .map(({ ids, title }) => ({ name: `${ids.join(', ')}: ${title}`, passed: false }));
  });
}
