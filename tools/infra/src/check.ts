import { messageOf } from '@neural-hive/security/common';

/** What a check says of each of its points as it goes. */
export interface Report {
  passed(point: string): void;
  failed(point: string, why: string): void;
  /** Could not be tried here. It counts against the run: a check that did not run has shown nothing. */
  skipped(point: string, why: string): void;
}

export interface CheckContext {
  /** The repository. */
  readonly root: string;
  readonly report: Report;
  /** One line about what takes long. */
  readonly progress: (line: string) => void;
}

/** One part of `npm run infra`. */
export interface Check {
  /** On the command line and in the report: `vault-chart`. */
  readonly name: string;
  /** One line for `--help`. */
  readonly what: string;
  /** Reports every point. A throw is one more failed point. */
  readonly run: (context: CheckContext) => Promise<void>;
}

export interface CheckTotals {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Runs one check; lines about failed and skipped points and about progress go to `line`. */
export async function runCheck(check: Check, root: string, line: (text: string) => void): Promise<CheckTotals> {
  const totals = { passed: 0, failed: 0, skipped: 0 };
  const report: Report = {
    passed: () => {
      totals.passed += 1;
    },
    failed: (point, why) => {
      totals.failed += 1;
      line(`  FAILED  ${point}: ${why}`);
    },
    skipped: (point, why) => {
      totals.skipped += 1;
      line(`  skipped ${point}: ${why}`);
    },
  };
  try {
    await check.run({ root, report, progress: (text) => line(`  ${text}`) });
  } catch (error) {
    report.failed(check.name, messageOf(error));
  }
  if (totals.passed + totals.failed + totals.skipped === 0) report.failed(check.name, 'it checked nothing');
  return { name: check.name, ...totals };
}
