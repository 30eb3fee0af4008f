import type { TestCounts } from './test-report.ts';

/** The counts that Node's reporters end with; they include the tests within tests. */
function readSummary(text: string): TestCounts | undefined {
  const counts = new Map<string, number>();
  for (const [, name = '', value] of text.matchAll(/^(?:#|ℹ) (tests|pass|fail|cancelled|skipped|todo) (\d+)\s*$/gm)) {
    counts.set(name, Number(value));
  }
  if (!counts.has('tests') || !counts.has('pass') || !counts.has('fail')) return undefined;
  const of = (name: string): number => counts.get(name) ?? 0;
  return { passed: of('pass'), failed: of('fail') + of('cancelled'), skipped: of('skipped') + of('todo') };
}

/**
 * TAP, versions 12 to 14. Without a summary the points of the outermost level count, once there are as many as the plan
 * says: a program that stopped half way has reported nothing. `Bail out!` is a failure.
 */
export function readTap(text: string): TestCounts | undefined {
  const summary = readSummary(text);
  if (summary !== undefined) return summary;
  const planned = /^1\.\.(\d+)/m.exec(text)?.[1];
  let [passed, failed, skipped] = [0, 0, 0];
  for (const [, not, directive] of text.matchAll(/^(not )?ok\b[^#\n]*(?:#\s*(\w+))?/gm)) {
    if (/^(skip|todo)/i.test(directive ?? '')) skipped += 1;
    else if (not === undefined) passed += 1;
    else failed += 1;
  }
  if (/^Bail out!/m.test(text)) return { passed, failed: failed + 1, skipped };
  if (planned === undefined || passed + failed + skipped !== Number(planned)) return undefined;
  return { passed, failed, skipped };
}
