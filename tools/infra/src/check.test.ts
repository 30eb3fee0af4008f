import { expect, test } from 'vitest';
import { type Check, runCheck } from './check.ts';

const check = (run: Check['run']): Check => ({ name: 'c', what: 'for tests', run });

test('points are counted, and only what did not pass is told', async () => {
  const lines: string[] = [];
  const totals = await runCheck(
    check(async ({ report }) => {
      report.passed('one');
      report.failed('two', 'it is odd');
      report.skipped('three', 'no server');
    }),
    '/nowhere',
    (line) => lines.push(line),
  );
  expect(totals).toEqual({ name: 'c', passed: 1, failed: 1, skipped: 1 });
  expect(lines).toEqual(['  FAILED  two: it is odd', '  skipped three: no server']);
});

test('a check that throws, and one that checks nothing, have failed', async () => {
  const thrown = await runCheck(
    check(async ({ report }) => {
      report.passed('one');
      throw new Error('helm is missing');
    }),
    '/nowhere',
    () => {},
  );
  expect(thrown).toMatchObject({ passed: 1, failed: 1 });
  expect(
    await runCheck(
      check(async () => {}),
      '/nowhere',
      () => {},
    ),
  ).toMatchObject({ passed: 0, failed: 1 });
});
