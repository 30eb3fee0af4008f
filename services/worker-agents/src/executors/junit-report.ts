import type { TestCounts } from './test-report.ts';

/** Comments, CDATA and processing instructions may hold what looks like a tag. */
const NO_TAGS = /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<\?[\s\S]*?\?>/g;
const TAG = /<(\/?)([A-Za-z][\w.:-]*)(?:"[^"]*"|'[^']*'|[^>"'])*?(\/?)>/g;

/**
 * JUnit's XML: the cases are counted, since what the suites say of themselves differs from tool to tool and repeats within
 * nested ones. Undefined when the text is no such report, or is cut off.
 */
export function readJUnit(text: string): TestCounts | undefined {
  let [passed, failed, skipped, depth] = [0, 0, 0, 0];
  let verdict: 'passed' | 'failed' | 'skipped' | undefined;
  let report = false;
  const close = (): void => {
    if (verdict === 'passed') passed += 1;
    if (verdict === 'failed') failed += 1;
    if (verdict === 'skipped') skipped += 1;
    verdict = undefined;
  };
  for (const [, end, name, empty] of text.replace(NO_TAGS, '').matchAll(TAG)) {
    if (end === '/') depth -= 1;
    else if (empty !== '/') depth += 1;
    if (depth < 0) return undefined;
    if (name === 'testsuite' || name === 'testsuites') report = true;
    else if (name === 'testcase') {
      if (end !== '/') verdict = 'passed';
      if (end === '/' || empty === '/') close();
    } else if (verdict !== undefined && (name === 'failure' || name === 'error')) verdict = 'failed';
    else if (verdict === 'passed' && name === 'skipped') verdict = 'skipped';
  }
  return report && depth === 0 ? { passed, failed, skipped } : undefined;
}
