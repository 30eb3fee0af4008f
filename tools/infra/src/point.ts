import { messageOf } from '@neural-hive/security/common';
import type { Report } from './check.ts';

/** One point of a check: it passes when `run` does not throw. */
export async function point(report: Report, what: string, run: () => Promise<void> | void): Promise<void> {
  try {
    await run();
    report.passed(what);
  } catch (error) {
    report.failed(what, messageOf(error));
  }
}
